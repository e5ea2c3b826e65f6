/** From a file, or from values, to a configuration that may start: or all its faults. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { nearest } from '#kit'
import { type CheckOptions, crossCheck } from './check.ts'
import { ConfigError, type Fault, formatPath, type Path, show } from './fault.ts'
import { type Config, configSchema, fileSchema } from './schema.ts'
import { type Spelled, spellOut } from './short-forms.ts'
import { type Environment, MAX_FILE_BYTES, MISSING, parseSource, plainSource, type Source } from './source.ts'

export interface ReadOptions extends CheckOptions {
  readonly environment?: Environment
  /** Relative paths start here; the folder of the file by default. */
  readonly folder?: string
}

export type ReadResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly Fault[] }

const MAX_FOLDER_FILES = 10_000
const MAX_FAULTS = 200

/** Reads `file` and the files `conf.d/*.yaml` beside it. Never throws for what is in them. */
export function readConfigFile(file: string, options: ReadOptions = {}): ReadResult {
  const path = resolve(file)
  const faults: Fault[] = []
  const environment = options.environment ?? process.env
  const load = (at: string): Source | undefined => {
    const text = readText(at, faults)
    if (text === undefined) return undefined
    const parsed = parseSource(text, at, environment)
    faults.push(...parsed.faults)
    return parsed.source
  }
  const main = load(path)
  const parts: Source[] = []
  for (const name of folderFiles(join(dirname(path), 'conf.d'), faults)) {
    const part = load(name)
    if (part !== undefined) parts.push(part)
  }
  if (main === undefined) return { ok: false, faults }
  return finish(main, { parts, faults, folder: options.folder ?? dirname(path), check: options })
}

/** The same for a text, without conf.d. */
export function readConfigText(
  text: string,
  options: ReadOptions & { readonly file?: string } = {},
): ReadResult {
  const { source, faults } = parseSource(
    text,
    options.file ?? 'digue.yaml',
    options.environment ?? process.env,
  )
  return finish(source, { parts: [], faults, folder: options.folder ?? process.cwd(), check: options })
}

/** The same for values, as flags give them. */
export function readConfigValue(value: unknown, options: ReadOptions = {}): ReadResult {
  return finish(plainSource(value), {
    parts: [],
    faults: [],
    folder: options.folder ?? process.cwd(),
    check: options,
  })
}

/** The configuration, or a ConfigError with every fault. */
export function orThrow(result: ReadResult): Config {
  if (!result.ok) throw new ConfigError(result.faults)
  return result.config
}

function finish(
  main: Source,
  context: { parts: readonly Source[]; faults: Fault[]; folder: string; check: CheckOptions },
): ReadResult {
  const { faults } = context
  const syntaxFailed = faults.some((fault) => fault.path === '')
  const spelled = spellOut(main, context.parts)
  const add = (place: { source: Source; path: Path }, message: string) => {
    const fault: Fault = {
      path: formatPath(place.path),
      message,
      file: place.source.file,
      line: place.source.lineOf(place.path),
    }
    // A fault in `defaults` shows in every site that takes it.
    if (
      !faults.some(
        (other) => other.path === fault.path && other.message === fault.message && other.file === fault.file,
      )
    )
      faults.push(fault)
  }
  for (const { place, message } of spelled.faults) add(place, message)
  const parsed = configSchema.safeParse(spelled.value)
  if (!parsed.success) {
    // Nothing was read: that the rest is missing is no news.
    if (!syntaxFailed) for (const issue of parsed.error.issues) explain(issue, spelled, add)
  } else {
    const config = absolute(parsed.data, context.folder)
    if (faults.length === 0 || !syntaxFailed) {
      for (const { path, message } of crossCheck(config, context.check)) add(spelled.place(path), message)
    }
    if (faults.length === 0) return { ok: true, config }
  }
  if (faults.length === 0) add({ source: main, path: [] }, 'expected a configuration, got something else')
  return { ok: false, faults: faults.sort(byPlace).slice(0, MAX_FAULTS) }
}

function byPlace(a: Fault, b: Fault): number {
  if (a.file === b.file) return a.line - b.line
  return a.file < b.file ? -1 : 1
}

type Issue = z.core.$ZodIssue

function explain(
  issue: Issue,
  spelled: Spelled,
  add: (place: { source: Source; path: Path }, message: string) => void,
): void {
  const path = issue.path.filter((step): step is string | number => typeof step !== 'symbol')
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(path)
    for (const key of issue.keys) {
      const near = nearest(key, known)
      const hint = near === undefined ? `expected one of ${known.join(', ')}` : `expected ${near}`
      add(spelled.place([...path, key]), `${hint}, got the unknown key ${show(key)}`)
    }
    return
  }
  const value = valueAt(spelled.value, path)
  if (value === MISSING) return
  let message = issue.message
  if (!message.startsWith('expected'))
    message =
      issue.code === 'invalid_type' ? `expected a ${issue.expected}` : `expected something else (${message})`
  add(spelled.place(path), `${message}, got ${show(value)}`)
}

function valueAt(value: unknown, path: Path): unknown {
  let at: unknown = value
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Record<string | number, unknown>)[step]
  }
  return at
}

/** The keys a file may have at `path`. */
export function knownKeys(path: Path): string[] {
  let schema: unknown = fileSchema
  for (const step of path) {
    schema = candidates(schema)
      .map((candidate) => (typeof step === 'number' ? candidate.element : candidate.shape?.[step]))
      .find((next) => next !== undefined)
  }
  return candidates(schema).flatMap((candidate) => Object.keys(candidate.shape ?? {}))
}

interface SchemaNode {
  readonly shape?: Record<string, unknown>
  readonly element?: unknown
  readonly def?: {
    readonly innerType?: unknown
    readonly in?: unknown
    readonly options?: readonly unknown[]
  }
}

/** `schema` without its wrappers; each option of a union. */
function candidates(schema: unknown): SchemaNode[] {
  if (typeof schema !== 'object' || schema === null) return []
  const node = schema as SchemaNode
  if (node.def?.innerType !== undefined) return candidates(node.def.innerType)
  if (node.def?.in !== undefined) return candidates(node.def.in)
  if (node.def?.options !== undefined) return node.def.options.flatMap(candidates)
  return [node]
}

/** Paths relative to the configuration become absolute, so that nothing depends on where Digue was started. */
function absolute(config: Config, folder: string): Config {
  const from = (path: string) => resolve(folder, path)
  const state = from(config.state)
  return {
    ...config,
    state,
    keys: resolve(state, config.keys),
    ...(config.networks === undefined ? {} : { networks: from(config.networks) }),
    lists: config.lists.map((list) => ({
      ...list,
      ...(list.file === undefined ? {} : { file: from(list.file) }),
      ...(list.crowdsec === undefined
        ? {}
        : { crowdsec: { ...list.crowdsec, keyFile: from(list.crowdsec.keyFile) } }),
    })),
    admin: { ...config.admin, socket: resolve(state, config.admin.socket) },
    kernel: { ...config.kernel, socket: resolve(state, config.kernel.socket) },
    log: { ...config.log, ...(config.log.access === undefined ? {} : { access: from(config.log.access) }) },
    sites: config.sites.map((site) => ({
      ...site,
      ...(site.certificate === undefined ? {} : { certificate: from(site.certificate) }),
      ...(site.key === undefined ? {} : { key: from(site.key) }),
      acmeChallenge: site.acmeChallenge === 'origin' ? 'origin' : from(site.acmeChallenge),
      page: { ...site.page, ...(site.page.logo === undefined ? {} : { logo: from(site.page.logo) }) },
    })),
  }
}

function readText(file: string, faults: Fault[]): string | undefined {
  const fail = (message: string) => {
    faults.push({ path: '', message, file, line: 0 })
    return undefined
  }
  try {
    const { size } = statSync(file)
    if (size > MAX_FILE_BYTES)
      return fail(`expected a file of at most ${MAX_FILE_BYTES / 1e6} MB, got ${(size / 1e6).toFixed(1)} MB`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    return fail(
      `expected a configuration file that can be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    )
  }
}

function folderFiles(folder: string, faults: Fault[]): string[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      faults.push({
        path: '',
        message: `expected a folder that can be read (${code})`,
        file: folder,
        line: 0,
      })
    return []
  }
  // Dot files are editors' leftovers.
  const chosen = names.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort()
  if (chosen.length > MAX_FOLDER_FILES) {
    faults.push({
      path: '',
      message: `expected at most ${MAX_FOLDER_FILES} files, got ${chosen.length}`,
      file: folder,
      line: 0,
    })
  }
  return chosen.slice(0, MAX_FOLDER_FILES).map((name) => join(folder, name))
}
