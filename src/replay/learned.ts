/**
 * A learned baseline on disk: what a log taught of calm weather, for `--baseline` and `digue run --baseline-from`.
 *
 * It is a summary of the log and not of Digue's own memory: clients by address with how much they asked for,
 * and a sample of their requests as traits. So whoever reads it learns from it as from the log, with his own
 * secret for hashing. It names addresses, as the log does: it is written for its owner's eyes only.
 */
import { LOG_TRAITS, LONGEST_TRAIT, TRAITS, type Traits } from '#recognise'
import type { RatesState } from './load-model.ts'
import type { LogClient } from './log-words.ts'
import type { Replay } from './replay.ts'
import { TopCounts } from './top-counts.ts'

export const SUMS = [
  'requests',
  'assets',
  'withReferrer',
  'fromElsewhere',
  'withQuery',
  'refused',
  'failed',
] as const

export interface LearnedSite {
  readonly fromMs: number
  readonly toMs: number
  readonly rates: RatesState
  readonly shape: {
    readonly sums: Readonly<Record<(typeof SUMS)[number], number>>
    readonly agents: readonly (readonly [family: string, requests: number])[]
  }
  /** Address and requests, the most frequent first. */
  readonly clients: readonly (readonly [address: string, requests: number])[]
  /** One request each; values in the order of TRAITS. */
  readonly vectors: readonly (readonly [address: string, atMs: number, traits: Traits])[]
}

export interface Learned {
  readonly format: 'digue-baseline'
  readonly version: 1
  readonly madeAtMs: number
  readonly sites: Readonly<Record<string, LearnedSite>>
}

/** A file that is no learned baseline, or one of a later Digue. */
export class LearnedError extends Error {
  readonly code = 'DIGUE_LEARNED'
}

const CLIENTS = 32_768
const VECTORS = 4096
const AGENTS = 200
export const LARGEST_LEARNED = 256e6

interface Gathered {
  readonly clients: TopCounts<LogClient>
  readonly vectors: [address: string, atMs: number, traits: Traits][]
  offered: number
}

/** Gathers what `Replay` calls calm. */
export class Learner {
  readonly #sites = new Map<string, Gathered>()
  readonly #random: () => number

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** For `ReplayOptions.onCalm`. */
  take(site: string, client: LogClient, atMs: number, traits: Traits | undefined): void {
    let gathered = this.#sites.get(site)
    if (gathered === undefined)
      this.#sites.set(site, (gathered = { clients: new TopCounts(CLIENTS), vectors: [], offered: 0 }))
    gathered.clients.add(client)
    if (traits === undefined) return
    const { vectors } = gathered
    const at = vectors.length < VECTORS ? vectors.length : Math.floor(this.#random() * (gathered.offered + 1))
    gathered.offered++
    if (at < VECTORS) vectors[at] = [client.text, Math.floor(atMs), traits]
  }

  /** After the replay's end. */
  learned(replay: Replay, madeAtMs: number): Learned {
    // Without a prototype: names are Host fields.
    const sites: Record<string, LearnedSite> = Object.create(null)
    for (const [name, { clients, vectors }] of this.#sites) {
      const site = replay.sites.get(name)
      if (site === undefined) continue
      const { calm, load } = site
      sites[name] = {
        fromMs: site.firstAtMs,
        toMs: site.lastAtMs,
        rates: load.toState(),
        shape: {
          sums: Object.fromEntries(SUMS.map((sum) => [sum, calm[sum]])) as LearnedSite['shape']['sums'],
          agents: calm.agents.top(AGENTS).map(({ key, count }) => [key, count]),
        },
        clients: clients.top(CLIENTS).map(({ key, count }) => [key.text, count]),
        vectors,
      }
    }
    return { format: 'digue-baseline', version: 1, madeAtMs, sites }
  }
}

/** Whether a file begins as one. */
export function beginsLearned(head: string): boolean {
  return /^\s*\{\s*"format"\s*:\s*"digue-baseline"/.test(head)
}

/** Throws LearnedError. What is damaged within a site is left out; numbers and texts keep to their bounds. */
export function parseLearned(text: string): Learned {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new LearnedError('it is cut off or damaged: learn it anew with --learn', { cause: error })
  }
  if (!isObject(value) || value['format'] !== 'digue-baseline')
    throw new LearnedError('it is no learned baseline: `digue replay --learn FILE access.log` makes one')
  if (value['version'] !== 1)
    throw new LearnedError(`it is of version ${String(value['version'])}, and this Digue reads version 1`)
  const sites: Record<string, LearnedSite> = {}
  const given = isObject(value['sites']) ? value['sites'] : {}
  for (const [name, site] of Object.entries(given)) {
    const read = readSite(site)
    if (read === undefined)
      throw new LearnedError(`its site "${name.slice(0, 80)}" is damaged: learn it anew with --learn`)
    Object.defineProperty(sites, name, { value: read, enumerable: true })
  }
  return { format: 'digue-baseline', version: 1, madeAtMs: numberOf(value['madeAtMs']), sites }
}

function readSite(value: unknown): LearnedSite | undefined {
  if (!isObject(value)) return undefined
  const { rates, shape } = value
  if (!isObject(rates) || !isObject(shape) || !isObject(shape['sums'])) return undefined
  const sums = shape['sums']
  return {
    fromMs: numberOf(value['fromMs']),
    toMs: numberOf(value['toMs']),
    rates: {
      requests: listOf(rates['requests'], 512).map(numberOf),
      pages: listOf(rates['pages'], 512).map(numberOf),
      meanDurationMs: numberOf(rates['meanDurationMs']),
    },
    shape: {
      sums: Object.fromEntries(
        SUMS.map((name) => [name, numberOf(sums[name])]),
      ) as LearnedSite['shape']['sums'],
      agents: pairsOf(shape['agents'], AGENTS),
    },
    clients: pairsOf(value['clients'], CLIENTS),
    vectors: listOf(value['vectors'], VECTORS).flatMap((row) => {
      if (!Array.isArray(row) || typeof row[0] !== 'string' || !Array.isArray(row[2])) return []
      const traits = TRAITS.map((_, i) => {
        const text: unknown = row[2][i]
        return typeof text === 'string' ? text.slice(0, LONGEST_TRAIT) : ''
      })
      return [[row[0], numberOf(row[1]), traits] as const]
    }),
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Not below 0. */
function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
}

function listOf(value: unknown, most: number): unknown[] {
  return Array.isArray(value) ? value.slice(0, most) : []
}

function pairsOf(value: unknown, most: number): [string, number][] {
  return listOf(value, most).flatMap((pair) =>
    Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'number'
      ? [[pair[0].slice(0, LONGEST_TRAIT), numberOf(pair[1])] as [string, number]]
      : [],
  )
}

/** The traits that a learned vector shows. */
export const LEARNED_TRAITS: ReadonlySet<(typeof LOG_TRAITS)[number]> = new Set(LOG_TRAITS)
