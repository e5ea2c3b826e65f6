/**
 * From what people write to the canonical form: short forms spelled out, `defaults` copied into the
 * sites, the sites of conf.d appended. Remembers where each moved value was written, so that a fault
 * in the canonical form is told at the place in the file.
 */
import { formatPath, type Path, show } from './fault.ts'
import type { Source } from './source.ts'

/** Where a canonical path was written. */
export interface Place {
  readonly source: Source
  readonly path: Path
}

export interface Spelled {
  readonly value: unknown
  place(path: Path): Place
  /** Faults found on the way, by place. */
  readonly faults: readonly { readonly place: Place; readonly message: string }[]
}

type Mapping = Record<string, unknown>

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const LISTEN = 'expected a listener such as ":8080", ":443 tls" or "192.0.2.1:80"'

/** `:443 tls`, `[2001:db8::1]:80`, `8080`; undefined when it is none of them. */
export function parseListen(text: string): Mapping | undefined {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]{2,45})\]|([^\s:[\]]*)):)?(\d{1,5})( tls)?$/.exec(text.trim())
  if (match === null) return undefined
  const address = match[1] ?? match[2] ?? ''
  return {
    ...(address === '' || address === '*' ? {} : { address }),
    port: Number(match[3]),
    ...(match[4] === undefined ? {} : { tls: true }),
  }
}

export function spellOut(main: Source, folder: readonly Source[]): Spelled {
  const faults: { place: Place; message: string }[] = []
  const moved = new Map<string, Place>()
  const place = (path: Path): Place => {
    for (let length = path.length; length > 0; length--) {
      const origin = moved.get(formatPath(path.slice(0, length)))
      if (origin !== undefined)
        return { source: origin.source, path: [...origin.path, ...path.slice(length)] }
    }
    return { source: main, path }
  }

  if (!isMapping(main.value)) {
    if (main.value === undefined || main.value === null) return { value: {}, place, faults }
    return { value: main.value, place, faults }
  }
  const { defaults, ...root } = main.value

  if (typeof root['listen'] === 'string' || typeof root['listen'] === 'number' || isMapping(root['listen'])) {
    moved.set('listen[0]', { source: main, path: ['listen'] })
    root['listen'] = [root['listen']]
  }
  if (Array.isArray(root['listen'])) {
    root['listen'] = root['listen'].map((entry: unknown, index) => {
      if (typeof entry === 'number') return { port: entry }
      if (typeof entry !== 'string') return entry
      const parsed = parseListen(entry)
      if (parsed === undefined) {
        faults.push({
          place: { source: main, path: place(['listen', index]).path },
          message: `${LISTEN}, got ${show(entry)}`,
        })
        return { port: 0 }
      }
      return parsed
    })
  }

  if (defaults !== undefined && defaults !== null && !isMapping(defaults)) {
    faults.push({
      place: { source: main, path: ['defaults'] },
      message: `expected a mapping, got ${show(defaults)}`,
    })
  }
  const shared: Mapping = isMapping(defaults) ? { ...defaults } : {}
  for (const key of ['host', 'hosts']) {
    if (key in shared) {
      faults.push({
        place: { source: main, path: ['defaults', key] },
        message: 'expected each site to give its own host names',
      })
      delete shared[key]
    }
  }

  const entries: { entry: unknown; source: Source; path: Path }[] = []
  const collect = (source: Source, list: unknown) => {
    if (Array.isArray(list))
      for (const [index, entry] of list.entries()) entries.push({ entry, source, path: ['sites', index] })
  }
  collect(main, root['sites'])
  for (const source of folder) {
    if (!isMapping(source.value)) {
      if (source.value !== undefined && source.value !== null) {
        faults.push({
          place: { source, path: [] },
          message: `expected a mapping with \`sites\`, got ${show(source.value)}`,
        })
      }
      continue
    }
    for (const key of Object.keys(source.value)) {
      if (key !== 'sites') {
        faults.push({
          place: { source, path: [key] },
          message: 'expected only `sites` in a file of conf.d, got another key',
        })
      }
    }
    const list = source.value['sites']
    if (list !== undefined && list !== null && !Array.isArray(list)) {
      faults.push({
        place: { source, path: ['sites'] },
        message: `expected a list of sites, got ${show(list)}`,
      })
    }
    collect(source, list)
  }
  // A `sites` that is no list is left for the schema to complain about.
  if (
    entries.length > 0 ||
    root['sites'] === undefined ||
    root['sites'] === null ||
    Array.isArray(root['sites'])
  ) {
    root['sites'] = entries.map(({ entry, source, path }, index) => {
      moved.set(`sites[${index}]`, { source, path })
      return spellSite(entry, shared, {
        at: (key, from) => moved.set(`sites[${index}].${key}`, from),
        own: (key) => ({ source, path: [...path, key] }),
        shared: (key) => ({ source: main, path: ['defaults', key] }),
        fail: (place, message) => faults.push({ place, message }),
      })
    })
  }
  return { value: root, place, faults }
}

interface SiteContext {
  at(canonical: string, from: Place): void
  own(key: string): Place
  shared(key: string): Place
  fail(place: Place, message: string): void
}

function spellSite(entry: unknown, shared: Mapping, context: SiteContext): unknown {
  if (!isMapping(entry)) return entry
  const own = plural(entry, context.own, context)
  const inherited = plural(shared, context.shared, context)
  const site: Mapping = { ...own.site }
  for (const [canonical, from] of own.places) context.at(canonical, from)
  for (const key of Object.keys(inherited.site)) {
    if (key in site) continue
    site[key] = inherited.site[key]
    context.at(key, context.shared(key))
    for (const [canonical, from] of inherited.places)
      if (canonical.startsWith(key)) context.at(canonical, from)
  }
  return site
}

/** `host` → `hosts`, `origin` → `origins`; a single text is also taken for a list of one. */
function plural(
  given: Mapping,
  where: (key: string) => Place,
  context: SiteContext,
): { site: Mapping; places: [string, Place][] } {
  const site: Mapping = { ...given }
  const places: [string, Place][] = []
  for (const [one, many] of [
    ['host', 'hosts'],
    ['origin', 'origins'],
  ] as const) {
    const short = site[one]
    delete site[one]
    if (short !== undefined && site[many] !== undefined) {
      context.fail(where(one), `expected either \`${one}\` or \`${many}\`, got both`)
    } else if (short !== undefined) {
      places.push([many, where(one)])
      if (Array.isArray(short)) site[many] = short
      else {
        places.push([`${many}[0]`, where(one)])
        site[many] = [short]
      }
    } else if (typeof site[many] === 'string') {
      places.push([`${many}[0]`, where(many)])
      site[many] = [site[many]]
    }
    if (many === 'hosts' && Array.isArray(site['hosts'])) {
      site['hosts'] = site['hosts'].map((name: unknown) =>
        typeof name === 'string' ? name.toLowerCase().replace(/\.$/, '') : name,
      )
    }
  }
  return { site, places }
}
