/**
 * Which query parameters change a page, learned in calm weather: against cache-busting.
 *
 * Problem: `/?8237482` is another key than `/`, so a flood with random queries misses every cache. To
 * drop all queries would give `/news?page=2` the first page. So while the site is calm, answers are
 * compared, by a digest of their body.
 *
 *   the page without what is not known to matter  ──▶ its *base*: how long has it been the same?
 *   the page with something else in its query     ──▶ same as its base: harmless; another: suspect
 *   the base again                                ──▶ still as before: the suspect did change the page
 *
 * A path is *stable* once a base of it was seen 3 times over 30 s unchanged, and as long as nine of ten
 * sightings of its bases are like the one before. A page with a nonce or a counter never is. On stable paths
 * `stripped` gives the target that stands for another under overload: parameters that matter stay, in their order and
 * spelling, the rest goes.
 *
 *   unknown ──differs──▶ suspect ──twice, each confirmed──▶ matters, for good
 *      └─3 values over 1 min, no difference──▶ harmless ──differs──▶ suspect
 *
 * - Suspects are kept by `stripped` as well. Harmless and unknown ones go: what a flood invents is unknown.
 * - `?page=1` is the page itself on many sites, so that anybody can make `page` look harmless. That ends
 *   with the first `?page=2`, and cannot happen to what matters.
 * - A page may have changed by itself between two looks. Then its base is as the suspect was, and nothing
 *   is held against the suspect. So the looks may lie hours apart: a limit of a minute would learn
 *   nothing on pages that are rarely read.
 * - Where several unknown ones come together, all are suspect but those shown harmless and those that
 *   advertisers append, unless there are no others.
 * - A page that repeats its address (a canonical link, a form) changes with every parameter. A flood's
 *   first second, before it is seen to be one, would teach us a thousand names. So a name has to come
 *   twice, and beyond the first 16 of a path one may be added per minute. A path where 48 matter is not
 *   stripped: it has searches with many filters, or repeats what it is given.
 * - What matters on two other paths is kept on a path that was seen less than 100 times: `?lang=en` of a page
 *   that is rarely read. For a page seen more often, it would have shown.
 *
 * What a wrong guess costs: a visitor in a flood gets the page without a parameter. Never more, because
 * the stripped key is filled only by an answer to a request that the origin got without the dropped
 * parameters; the edge sees to that. A script in a parameter can therefore not come to anybody else.
 *
 * Paths are bounded by `Eviction`, so that a crawl through thousands of them leaves the ones people read.
 */
import { assert, BoundedMap, type HashKey, hash32, randomHashKey, SpaceSaving } from '#kit'
import { Eviction } from './eviction.ts'
import { loosely, looseNameOf, nameOf } from './query.ts'

const MOST_PATHS = 2048
const LONGEST_PATH = 512
const LONGEST_TARGET = 8192
const LONGEST_BASE = 1024
const LONGEST_NAME = 64
const MOST_PIECES = 16
/** By `stripped`; reading 8 kB of "a&a&…" to its end takes 0.4 ms. */
const MOST_PIECES_READ = 64
const MOST_BASES = 8
const MOST_MATTERING = 48
/** Unknown, harmless and suspect ones of a path. */
const MOST_UNPROVEN = 16
const MOST_PENDING = 8
const MOST_ANYWHERE = 256

const STABLE_SIGHTINGS = 3
const STABLE_MS = 30_000
const HARMLESS_VALUES = 3
const HARMLESS_MS = 60_000
const MATTERS_AFTER = 2
const FREE_LESSONS = 16
const LESSON_MS = 60_000
const WELL_KNOWN_SIGHTINGS = 100
/** Characters of a snapshot as JSON, and of what one path takes in it beside its names. */
const MOST_SNAPSHOT = 262_144
const PATH_CHARACTERS = 120
/** Sightings are halved beyond it, so that the last few dozen count. */
const MOST_SIGHTINGS = 64

/**
 * What mailings and advertisements append: Cloudflare's "Query parameters and cached responses" (Automatic
 * Platform Optimization) lists most. Never condemned together with something else; alone they are like any other.
 */
const APPENDED =
  /^(utm_.*|fbclid|fb_source|fb_action_.*|gclid|gclsrc|gad_source|gbraid|wbraid|dclid|msclkid|mc_[ce]id|mkt_tok|_ga|_gl|_ke|epik|twclid|ttclid|yclid|mtm_.*|pk_.*)$/

type State = 'unknown' | 'harmless' | 'suspect' | 'matters'

interface Name {
  readonly name: string
  state: State
  /** Differences that were the parameter's, not the page's own. */
  differences: number
  /** Digests of the first values that made no difference, and when the first of them came. */
  values: number[]
  sinceMs: number
}

/** Names that came with an answer which differed from the base. */
interface Pending {
  readonly names: readonly string[]
  readonly body: string
}

interface Base {
  body: string
  sightings: number
  sinceMs: number
  pending: Pending[]
}

interface Path {
  readonly bases: BoundedMap<string, Base>
  readonly names: Map<string, Name>
  /** Loose names of all that `stripped` keeps. */
  keptLoosely: ReadonlySet<string>
  /** Names that matter. */
  mattering: number
  wasStable: boolean
  sightings: number
  same: number
  changed: number
  lessons: number
  lessonAtMs: number
}

/** What survives a restart, as JSON. */
export interface ParametersSnapshot {
  readonly version: 1
  readonly paths: readonly PathSnapshot[]
}

interface PathSnapshot {
  readonly path: string
  readonly wasStable: boolean
  readonly sightings: number
  readonly same: number
  readonly changed: number
  readonly matters: readonly string[]
  readonly suspect: readonly string[]
  readonly harmless: readonly string[]
}

export interface ParametersReport {
  readonly paths: number
  readonly stable: number
  /** Where too many parameters matter. */
  readonly crowded: number
  /** Paths and names that had to go for want of room, and names that came too fast, since the start. */
  readonly forgottenPaths: number
  readonly forgottenNames: number
  readonly delayedNames: number
}

export class Parameters {
  readonly #known: ReadonlySet<string>
  readonly #knownLoosely: ReadonlySet<string>
  readonly #paths = new Map<string, Path>()
  readonly #room: Eviction
  readonly #key: HashKey
  /** On how many paths a name matters. */
  readonly #anywhere = new SpaceSaving(MOST_ANYWHERE)
  #forgottenPaths = 0
  #forgottenNames = 0
  #delayedNames = 0

  /** `known`: names that the operator says matter, everywhere. `paths` and `key` are for tests. */
  constructor(
    options: { readonly known?: readonly string[]; readonly paths?: number; readonly key?: HashKey } = {},
  ) {
    this.#known = new Set(options.known)
    this.#knownLoosely = new Set([...this.#known].map(loosely))
    this.#key = options.key ?? randomHashKey()
    const paths = options.paths ?? MOST_PATHS
    this.#room = new Eviction(paths, { key: this.#key, names: paths })
  }

  /**
   * A complete answer to a GET without Cookie and Authorization, in calm weather only. `bodyHash`: a
   * digest of its body as the origin sent it. `variant`: what else selected it (Vary, RFC 9110 §12.5.5);
   * pages are compared with their like only.
   */
  learn(target: string, bodyHash: string, status: number, nowMs: number, variant = ''): void {
    // A failure, a part of a page and "not modified" say nothing about the page.
    if (status < 200 || status === 206 || status === 304 || status === 408 || status === 429 || status >= 500)
      return
    const mark = target.indexOf('?')
    const pathText = mark === -1 ? target : target.slice(0, mark)
    if (!target.startsWith('/') || pathText.length > LONGEST_PATH) return
    const path = this.#paths.get(pathText)
    const pieces = mark === -1 ? [] : this.#read(target.slice(mark + 1))
    if (pieces === undefined) return
    let baseText = variant
    const others: { readonly name: string; readonly piece: string }[] = []
    for (const { name, piece } of pieces) {
      if (this.#known.has(name) || path?.names.get(name)?.state === 'matters') baseText += `&${piece}`
      else others.push({ name, piece })
    }
    if (baseText.length > LONGEST_BASE) return
    // Another status is another answer: "?p=7" that leads on to an article.
    const body = status === 200 ? bodyHash : String(status)
    if (others.length === 0) {
      const seen = path ?? (status === 200 ? this.#enter(pathText) : undefined)
      if (seen === undefined) return
      if (path !== undefined) this.#room.used(pathText)
      this.#sawBase(seen, baseText, { body, isPage: status === 200, nowMs })
    } else if (path !== undefined) {
      const base = path.bases.get(baseText)
      if (base === undefined || base.sightings < 2) return
      if (body === base.body) for (const other of others) this.#sawSame(path, other, nowMs)
      else
        this.#sawOther(
          path,
          base,
          others.map(({ name }) => name),
          body,
        )
    }
  }

  /**
   * The target that stands for `target` under overload; undefined when none does: the path is not stable,
   * nothing would be dropped, or a parameter that matters cannot be told from its neighbours.
   */
  stripped(target: string): string | undefined {
    const mark = target.indexOf('?')
    if (mark === -1 || target.length > LONGEST_TARGET) return undefined
    const path = this.#paths.get(target.slice(0, mark))
    if (path === undefined || !isStable(path)) return undefined
    let kept = ''
    /** Names kept so far; as a rule none or one. */
    let seen: string[] | undefined
    let pieces = 0
    // Nobody means a hundred parameters: what comes after these is dropped unread.
    for (let start = mark + 1; start <= target.length && pieces < MOST_PIECES_READ; pieces++) {
      let end = target.indexOf('&', start)
      if (end === -1) end = target.length
      const piece = target.slice(start, end)
      start = end + 1
      if (piece === '') continue
      if (piece.includes(';')) {
        // Some origins end a parameter there too: what matters may hide in what would be dropped.
        for (const part of piece.split(';'))
          if (this.#keeps(path, nameOf(part)) || this.#mayMatter(path, part)) return undefined
        continue
      }
      const name = nameOf(piece)
      if (this.#keeps(path, name)) {
        if (seen?.includes(name)) return undefined
        ;(seen ??= []).push(name)
        kept += kept === '' ? `?${piece}` : `&${piece}`
      } else if (this.#mayMatter(path, piece)) return undefined
    }
    return kept.length === target.length - mark ? undefined : target.slice(0, mark) + kept
  }

  report(): ParametersReport {
    let stable = 0
    let crowded = 0
    for (const path of this.#paths.values()) {
      if (isCrowded(path)) crowded++
      else if (isStable(path)) stable++
    }
    return {
      paths: this.#paths.size,
      stable,
      crowded,
      forgottenPaths: this.#forgottenPaths,
      forgottenNames: this.#forgottenNames,
      delayedNames: this.#delayedNames,
    }
  }

  /** What is worth keeping, the most seen first as far as there is room. */
  toJSON(): ParametersSnapshot {
    const paths: PathSnapshot[] = []
    const worth = [...this.#paths].filter(([, path]) => path.wasStable || path.mattering > 0)
    let characters = 0
    for (const [text, path] of worth.sort(([, a], [, b]) => b.sightings - a.sightings)) {
      characters += PATH_CHARACTERS + text.length
      for (const name of path.names.keys()) characters += 3 + name.length
      if (characters > MOST_SNAPSHOT) break
      const of = (state: State) =>
        [...path.names.values()].filter((name) => name.state === state).map(({ name }) => name)
      const { wasStable, sightings, same, changed } = path
      paths.push({
        path: text,
        wasStable,
        sightings,
        same,
        changed,
        matters: of('matters'),
        suspect: of('suspect'),
        harmless: of('harmless'),
      })
    }
    return { version: 1, paths }
  }

  /** Takes over a snapshot and says how many paths; what is not as it should be is left out. */
  restore(snapshot: unknown): number {
    if (!isRecord(snapshot) || snapshot['version'] !== 1 || !Array.isArray(snapshot['paths'])) return 0
    let restored = 0
    for (const given of snapshot['paths'] as unknown[]) {
      if (restored === this.#room.maxBytes) break
      if (!isRecord(given)) continue
      const text = given['path']
      const [matters, suspect, harmless] = [given['matters'], given['suspect'], given['harmless']].map(
        namesIn,
      )
      const [sightings, same, changed] = [given['sightings'], given['same'], given['changed']].map(countIn)
      if (typeof text !== 'string' || !text.startsWith('/') || text.length > LONGEST_PATH) continue
      if (typeof given['wasStable'] !== 'boolean') continue
      // A path without all that matters on it must not be stripped.
      if (matters === undefined || suspect === undefined || harmless === undefined) continue
      if (sightings === undefined || same === undefined || changed === undefined) continue
      // Seen already, by the first visitors after the start: that is less than what was known.
      const known = this.#paths.get(text)
      if (known !== undefined && (known.wasStable || known.names.size > 0 || known.sightings >= sightings))
        continue
      const path = this.#enter(text)
      this.#room.used(text, sightings)
      Object.assign(path, { wasStable: given['wasStable'], sightings, same, changed })
      for (const name of harmless) this.#name(path, name).state = 'harmless'
      for (const name of suspect) this.#name(path, name).state = 'suspect'
      for (const name of matters) this.#prove(path, this.#name(path, name))
      refreshKept(path)
      restored++
    }
    return restored
  }

  /** The pieces of a query with their names; undefined when it cannot be learned from. */
  #read(query: string): { readonly name: string; readonly piece: string }[] | undefined {
    if (query.length > LONGEST_BASE || query.includes(';')) return undefined
    const pieces: { readonly name: string; readonly piece: string }[] = []
    for (const piece of query.split('&', MOST_PIECES + 1)) {
      if (piece === '') continue
      const name = nameOf(piece)
      // Twice the same name: which one counts differs between origins, and so would what is learned.
      if (name === '' || name.length > LONGEST_NAME || pieces.some((other) => other.name === name))
        return undefined
      if (pieces.push({ name, piece }) > MOST_PIECES) return undefined
    }
    return pieces
  }

  #enter(text: string): Path {
    const path: Path = {
      bases: new BoundedMap(MOST_BASES),
      names: new Map(),
      keptLoosely: new Set(),
      mattering: 0,
      wasStable: false,
      sightings: 0,
      same: 0,
      changed: 0,
      lessons: FREE_LESSONS,
      lessonAtMs: Number.NEGATIVE_INFINITY,
    }
    const { admitted, evicted } = this.#room.add(text, 1)
    for (const gone of evicted) {
      this.#paths.delete(gone)
      this.#forgottenPaths++
    }
    if (admitted) this.#paths.set(text, path)
    return path
  }

  #sawBase(
    path: Path,
    text: string,
    seen: { readonly body: string; readonly isPage: boolean; readonly nowMs: number },
  ): void {
    const { body, isPage, nowMs } = seen
    path.sightings++
    const base = path.bases.get(text)
    if (base === undefined) {
      path.bases.set(text, { body, sightings: 1, sinceMs: nowMs, pending: [] })
      return
    }
    path.bases.set(text, base)
    this.#settle(path, base, body, nowMs)
    if (body === base.body) {
      path.same++
      base.sightings++
      if (isPage && base.sightings >= STABLE_SIGHTINGS && nowMs - base.sinceMs >= STABLE_MS)
        path.wasStable = true
    } else {
      path.changed++
      base.body = body
      base.sightings = 1
      base.sinceMs = nowMs
    }
    if (path.same + path.changed > MOST_SIGHTINGS) {
      path.same /= 2
      path.changed /= 2
    }
    if (path.changed > path.same) path.wasStable = false
  }

  /** Was it the parameters or the page itself that differed? */
  #settle(path: Path, base: Base, body: string, nowMs: number): void {
    if (base.pending.length === 0) return
    for (const pending of base.pending) {
      for (const text of pending.names) {
        const name = path.names.get(text)
        if (name === undefined || name.state !== 'suspect') continue
        if (body === pending.body) {
          if (name.differences === 0) name.state = 'unknown'
        } else if (body === base.body && ++name.differences >= MATTERS_AFTER) this.#teach(path, name, nowMs)
      }
    }
    base.pending = []
    refreshKept(path)
  }

  /** A name that matters, unless too many came lately: then it stays suspect until it is met again. */
  #teach(path: Path, name: Name, nowMs: number): void {
    if (isCrowded(path)) return
    if (path.lessons === 0 && nowMs - path.lessonAtMs >= LESSON_MS) path.lessons = 1
    if (path.lessons === 0) {
      this.#delayedNames++
      return
    }
    path.lessons--
    path.lessonAtMs = nowMs
    this.#prove(path, name)
  }

  #prove(path: Path, name: Name): void {
    name.state = 'matters'
    path.mattering++
    this.#anywhere.add(name.name)
  }

  #sawSame(path: Path, other: { readonly name: string; readonly piece: string }, nowMs: number): void {
    const name = this.#name(path, other.name)
    if (name.state !== 'unknown') return
    if (name.values.length === 0) name.sinceMs = nowMs
    const value = hash32(other.piece, this.#key)
    if (name.values.length < HARMLESS_VALUES && !name.values.includes(value)) name.values.push(value)
    if (name.values.length === HARMLESS_VALUES && nowMs - name.sinceMs >= HARMLESS_MS) name.state = 'harmless'
  }

  #sawOther(path: Path, base: Base, names: readonly string[], body: string): void {
    const doubtful = names.filter((name) => path.names.get(name)?.state !== 'harmless')
    const likely = doubtful.filter((name) => !APPENDED.test(name))
    const blamed = likely.length > 0 ? likely : doubtful.length > 0 ? doubtful : names
    for (const text of blamed) {
      const name = this.#name(path, text)
      name.state = 'suspect'
      name.values = []
    }
    if (base.pending.length < MOST_PENDING) base.pending.push({ names: blamed, body })
    else this.#delayedNames += blamed.length
    refreshKept(path)
  }

  /** The entry of a name, made if need be in the place of the least telling one. */
  #name(path: Path, text: string): Name {
    let name = path.names.get(text)
    if (name !== undefined) return name
    if (path.names.size - path.mattering >= MOST_UNPROVEN) {
      const names = [...path.names.values()]
      const oldest = (state: State) => names.find((one) => one.state === state)
      const least = oldest('unknown') ?? oldest('harmless') ?? oldest('suspect')
      assert(least !== undefined, 'an unproven name is in one of three states')
      path.names.delete(least.name)
      this.#forgottenNames++
    }
    name = { name: text, state: 'unknown', differences: 0, values: [], sinceMs: 0 }
    path.names.set(text, name)
    return name
  }

  #keeps(path: Path, name: string): boolean {
    if (this.#known.has(name)) return true
    const state = path.names.get(name)?.state
    if (state === 'matters' || state === 'suspect') return true
    if (state === 'harmless' || path.sightings >= WELL_KNOWN_SIGHTINGS) return false
    const elsewhere = this.#anywhere.get(name)
    return elsewhere !== undefined && elsewhere.count - elsewhere.error >= 2
  }

  /** Some origin may read the piece as a parameter that is kept. */
  #mayMatter(path: Path, piece: string): boolean {
    if (path.keptLoosely.size === 0 && this.#knownLoosely.size === 0) return false
    const loose = looseNameOf(piece)
    return path.keptLoosely.has(loose) || this.#knownLoosely.has(loose)
  }
}

function isStable(path: Path): boolean {
  return path.wasStable && !isCrowded(path) && 10 * path.changed <= path.same + path.changed
}

/** Nothing more is learned there: it has more parameters that matter than there is room for. */
function isCrowded(path: Path): boolean {
  return path.mattering >= MOST_MATTERING
}

function refreshKept(path: Path): void {
  const kept = new Set<string>()
  for (const { name, state } of path.names.values())
    if (state === 'matters' || state === 'suspect') kept.add(loosely(name))
  path.keptLoosely = kept
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function namesIn(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > MOST_MATTERING) return undefined
  const isName = (name: unknown) => typeof name === 'string' && name !== '' && name.length <= LONGEST_NAME
  return value.every(isName) ? [...new Set(value as string[])] : undefined
}

function countIn(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= 1e12 ? value : undefined
}
