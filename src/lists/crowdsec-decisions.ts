/**
 * CrowdSec's decisions as its local API streams them: all at first, then what is new and what is deleted.
 *
 * An answer is { "new": […] | null, "deleted": […] | null } of decisions { id, origin, scenario, scope, type,
 * value, duration }, the duration in Go's notation and left to run from now on (CrowdSec's
 * localapi_swagger.yaml). A decision is known by type and value, as CrowdSec's own bouncers know it: the API
 * tells of a deletion only when no longer decision of the same kind stands.
 */
import type { NetworkGroup } from '#networks'
import type { Effect } from '#recognise'
import { effectIndex } from './effects.ts'
import { parseRange, type Range, RangeWriter } from './range-writer.ts'

const MOST_DECISIONS = 100_000
/** No decision is believed to stand longer: one that is never deleted must end. */
const LONGEST_MS = 366 * 86_400_000
const UNITS_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
  ns: 0.000001,
}
const DURATION = /^[+-]?(?:\d{1,12}(?:\.\d{1,12})?(?:h|ms|m|s|us|µs|ns))+$/

/** What the kinds of decisions that CrowdSec's profiles know do here; another kind weighs. */
const EFFECT_OF_TYPE: Readonly<Record<string, Effect>> = {
  ban: 'refuse',
  captcha: 'price',
  throttle: 'weight',
}

interface Decision {
  readonly range: Range
  readonly effect: Effect
  readonly expiresAtMs: number
}

/** Milliseconds of "3h59m55.75s", Go's time.Duration; undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  if (text.length > 64 || !DURATION.test(text)) return text === '0' ? 0 : undefined
  let ms = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g))
    ms += Number(amount) * UNITS_MS[unit!]!
  return text.startsWith('-') ? -ms : ms
}

export class CrowdSecDecisions {
  /** Of the last answers: decisions on something else than an address or range, or only simulated. */
  ignored = 0
  /** Decisions that could not be read. */
  wrong = 0
  /** Decisions beyond the bound. */
  leftOut = 0
  readonly #then: Effect | undefined
  readonly #most: number
  #decisions = new Map<string, Decision>()

  /** `then` for every kind of decision, instead of what the kind says. */
  constructor(then?: Effect, most = MOST_DECISIONS) {
    this.#then = then
    this.#most = most
  }

  get size(): number {
    return this.#decisions.size
  }

  /** Takes an answer in; `isWhole` when it tells of all decisions that stand. Its fault, or whether anything changed. */
  apply(answer: unknown, isWhole: boolean, nowMs: number): { fault: string } | { changed: boolean } {
    if (!isMapping(answer) || !isList(answer['new']) || !isList(answer['deleted']))
      return { fault: 'expected decisions, got something else: is that address CrowdSec’s local API?' }
    let changed = false
    if (isWhole) {
      changed = this.#decisions.size > 0
      this.#decisions = new Map()
      this.ignored = this.wrong = this.leftOut = 0
    } else {
      // Deletions first: what was lengthened comes in both.
      for (const entry of answer['deleted'] ?? []) {
        const read = this.#read(entry, nowMs)
        if (read !== undefined && this.#decisions.delete(read.key)) changed = true
      }
    }
    for (const entry of answer['new'] ?? []) {
      const read = this.#read(entry, nowMs)
      if (read === undefined || read.decision.expiresAtMs <= nowMs) continue
      const known = this.#decisions.get(read.key)
      if (known === undefined && this.#decisions.size >= this.#most) {
        this.leftOut++
        continue
      }
      if (known !== undefined && known.expiresAtMs > read.decision.expiresAtMs) continue
      this.#decisions.set(read.key, read.decision)
      if (known === undefined) changed = true
    }
    return { changed }
  }

  /** Ends what has run out, should its deletion not come; true when something did. */
  expire(nowMs: number): boolean {
    let ended = false
    for (const [key, { expiresAtMs }] of this.#decisions)
      if (expiresAtMs <= nowMs) ended = this.#decisions.delete(key)
    return ended
  }

  /** The networks by effect, all of list 0, and how many were left out as private or too wide. */
  groups(): { groups: NetworkGroup[]; networks: number; local: number; wide: number } {
    const writers = new Map<Effect, RangeWriter>()
    for (const { range, effect } of this.#decisions.values()) {
      let writer = writers.get(effect)
      if (writer === undefined) {
        writer = new RangeWriter({ keepsLocal: false, widensV6: effect !== 'allow', most: this.#most })
        writers.set(effect, writer)
      }
      writer.put(range)
    }
    const all = [...writers.values()]
    const sum = (of: (writer: RangeWriter) => number) => all.reduce((total, writer) => total + of(writer), 0)
    return {
      groups: [...writers].map(([effect, writer]) => ({
        effect: effectIndex(effect),
        list: 0,
        ranges: writer.ranges(),
      })),
      networks: sum((writer) => writer.taken),
      local: sum((writer) => writer.local),
      wide: sum((writer) => writer.wide),
    }
  }

  #read(entry: unknown, nowMs: number): { key: string; decision: Decision } | undefined {
    if (!isMapping(entry)) {
      this.wrong++
      return undefined
    }
    const { scope, type, value, duration, simulated } = entry
    if (
      typeof scope !== 'string' ||
      typeof type !== 'string' ||
      typeof value !== 'string' ||
      type.length > 64
    ) {
      this.wrong++
      return undefined
    }
    if (!/^(ip|range)$/i.test(scope) || simulated === true) {
      this.ignored++
      return undefined
    }
    const range = value.length <= 100 ? parseRange(value) : undefined
    const leftMs = typeof duration === 'string' ? parseGoDuration(duration) : undefined
    if (range === undefined || leftMs === undefined) {
      this.wrong++
      return undefined
    }
    const kind = type.toLowerCase()
    const effect = this.#then ?? (Object.hasOwn(EFFECT_OF_TYPE, kind) ? EFFECT_OF_TYPE[kind]! : 'weight')
    return {
      key: `${kind} ${value}`,
      decision: { range, effect, expiresAtMs: nowMs + Math.min(leftMs, LONGEST_MS) },
    }
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isList(value: unknown): value is readonly unknown[] | null | undefined {
  return value === null || value === undefined || Array.isArray(value)
}
