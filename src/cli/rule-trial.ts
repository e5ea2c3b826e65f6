/**
 * What rules would touch of a stream of requests: counts, and what an operator would ask about them.
 *
 * Memory is bounded whatever the stream is: distinct clients are counted by linear counting (Whang, Vander-Zanden, Taylor
 * 1990: of m bits u stay unset, then about m·ln(m/u) names were seen), the most frequent paths and agents by SpaceSaving.
 *
 * What calm weather is a log does not say. Minutes with at most twice the median of requests are called quiet here:
 * a flood of hours leaves the median of a day where it was.
 */
import { type HashKey, hash32, randomHashKey, SpaceSaving } from '#kit'
import { type Effect, TRAITS } from '#recognise'
import { Facts, type Rule, type RuleInput } from '#rules'

/** More of calm weather, or of visitors, than this, and the operator should think again. */
export const MOST_SHARE = 0.01
const MOST_EXAMPLES = 10
const MOST_NAMES = 5
const NAMES_TRACKED = 512
/** Half a megabyte for each rule: good for ten million clients, within 1 %. */
const CLIENT_BITS = 1 << 22
/** A year of minutes. */
const MOST_MINUTES = 527_040
const QUIET = 2
const LONGEST_TEXT = 160

/** A request and what is known of who sent it. */
export interface TrialRequest {
  readonly atMs: number
  readonly input: RuleInput
  readonly agent: string
  /** It had shown effort or history; undefined where the source does not say. */
  readonly isVisitor?: boolean
}

export interface Example {
  readonly at: string
  readonly client: string
  readonly request: string
  readonly userAgent: string
}

export interface Frequent {
  readonly name: string
  readonly requests: number
}

export interface RuleReport {
  readonly name: string
  readonly when: string
  readonly effect: Effect | ''
  readonly until: string | null
  readonly looksAt: readonly string[]
  /** That it fits, of those of which it can be told. */
  readonly requests: number
  readonly share: number
  readonly clients: number
  readonly clientShare: number
  /** Of those, requests that an earlier rule of the site would have decided. */
  readonly decidedBefore: number
  /** It cannot be told, because the source does not show what the rule looks at. */
  readonly unknown: number
  readonly unknownFacts: readonly string[]
  /** Could not be evaluated: a fault of Digue. */
  readonly failed: number
  /** Of the requests in quiet minutes; null when there are too few minutes to tell. */
  readonly quietShare: number | null
  /** Of the requests of those that had shown effort or history; null where the source does not say. */
  readonly visitorShare: number | null
  readonly examples: readonly Example[]
  readonly paths: readonly Frequent[]
  readonly agents: readonly Frequent[]
  readonly networks: readonly Frequent[]
  /** Of the most frequent agents of all: how many of their requests it fits. */
  readonly commonAgents: readonly {
    readonly name: string
    readonly ofAll: number
    readonly touched: number
  }[]
  readonly warnings: readonly string[]
}

export interface TrialReport {
  readonly requests: number
  readonly clients: number
  readonly quietMinutes: number
  readonly minutes: number
  readonly rules: readonly RuleReport[]
}

class DistinctCount {
  readonly #bits = new Uint8Array(CLIENT_BITS / 8)
  readonly #key: HashKey
  #set = 0

  constructor(key: HashKey) {
    this.#key = key
  }

  /** True for one that was surely not there. */
  add(name: string): boolean {
    const bit = hash32(name, this.#key) & (CLIENT_BITS - 1)
    const mask = 1 << (bit & 7)
    if ((this.#bits[bit >>> 3]! & mask) !== 0) return false
    this.#bits[bit >>> 3]! |= mask
    this.#set++
    return true
  }

  get count(): number {
    const unset = CLIENT_BITS - this.#set
    return Math.round(CLIENT_BITS * Math.log(CLIENT_BITS / Math.max(1, unset)))
  }
}

interface Minute {
  all: number
  /** By rule: it fits, and it could be told whether it does. */
  readonly touched: number[]
  readonly told: number[]
}

class RuleTally {
  readonly rule: Rule
  readonly clients: DistinctCount
  readonly paths = new SpaceSaving(NAMES_TRACKED)
  readonly agents = new SpaceSaving(NAMES_TRACKED)
  readonly networks = new SpaceSaving(NAMES_TRACKED)
  readonly examples: Example[] = []
  readonly missing = new Set<string>()
  fits = 0
  not = 0
  unknown = 0
  failed = 0
  decidedBefore = 0
  visitors = 0

  constructor(rule: Rule, key: HashKey) {
    this.rule = rule
    this.clients = new DistinctCount(key)
  }
}

export class RuleTrial {
  readonly #key = randomHashKey()
  readonly #tallies: readonly RuleTally[]
  readonly #clients = new DistinctCount(this.#key)
  readonly #agents = new SpaceSaving(NAMES_TRACKED)
  readonly #minutes = new Map<number, Minute>()
  #requests = 0
  #visitors: number | undefined
  #named = 0

  /** In the order of the site. One without a name was given on the command line and has no effect. */
  constructor(rules: readonly Rule[]) {
    this.#tallies = rules.map((rule) => new RuleTally(rule, this.#key))
  }

  /** What the rules look at, all together. */
  get looksAt(): ReadonlySet<string> {
    return new Set(this.#tallies.flatMap(({ rule }) => rule.looksAt))
  }

  add({ atMs, input, agent, isVisitor }: TrialRequest): void {
    const facts = new Facts(input)
    const { client } = input
    this.#requests++
    this.#clients.add(client.subscriber)
    if (agent !== '') this.#named++
    this.#agents.add(agent === '' ? NO_AGENT : agent)
    if (isVisitor !== undefined) this.#visitors = (this.#visitors ?? 0) + (isVisitor ? 1 : 0)
    const minute = this.#minuteOf(atMs)
    if (minute !== undefined) minute.all++
    let isDecided = false
    for (const [index, tally] of this.#tallies.entries()) {
      const verdict = tally.rule.verdict(facts)
      switch (verdict) {
        case 'fits':
          tally.fits++
          if (isDecided) tally.decidedBefore++
          isDecided = true
          if (isVisitor === true) tally.visitors++
          if (minute !== undefined) {
            minute.touched[index]!++
            minute.told[index]!++
          }
          this.#describe(tally, { atMs, input, agent })
          break
        case 'not':
          tally.not++
          if (minute !== undefined) minute.told[index]!++
          break
        case 'unknown':
          tally.unknown++
          if (tally.missing.size === 0)
            for (const fact of tally.rule.looksAt) if (input.unknown?.(fact)) tally.missing.add(fact)
          break
        case 'fault':
          tally.failed++
          break
        default:
          verdict satisfies never
      }
    }
  }

  report(nowMs: number): TrialReport {
    const minutes = [...this.#minutes.values()]
    const quiet = quietOf(minutes)
    return {
      requests: this.#requests,
      clients: this.#clients.count,
      quietMinutes: quiet?.length ?? 0,
      minutes: minutes.length,
      rules: this.#tallies.map((tally, index) => this.#reportOf(tally, index, { quiet, nowMs })),
    }
  }

  #minuteOf(atMs: number): Minute | undefined {
    const number = Math.floor(atMs / 60_000)
    let minute = this.#minutes.get(number)
    if (minute === undefined) {
      if (this.#minutes.size >= MOST_MINUTES) return undefined
      const zeros = () => new Array<number>(this.#tallies.length).fill(0)
      minute = { all: 0, touched: zeros(), told: zeros() }
      this.#minutes.set(number, minute)
    }
    return minute
  }

  #describe(tally: RuleTally, { atMs, input, agent }: TrialRequest): void {
    const { head, client } = input
    const isNew = tally.clients.add(client.subscriber)
    tally.paths.add(input.traits[PATH] ?? '')
    tally.agents.add(agent === '' ? NO_AGENT : agent)
    tally.networks.add(client.asn === 0 ? client.prefix : `AS${client.asn}`)
    // Ten clients say more than ten requests of one.
    if (!isNew || tally.examples.length >= MOST_EXAMPLES) return
    tally.examples.push({
      at: new Date(atMs).toISOString(),
      client: client.text,
      request: `${head.method} ${head.target}`.slice(0, LONGEST_TEXT),
      userAgent: userAgentOf(head.fields).slice(0, LONGEST_TEXT),
    })
  }

  #reportOf(
    tally: RuleTally,
    index: number,
    { quiet, nowMs }: { quiet: readonly Minute[] | undefined; nowMs: number },
  ): RuleReport {
    const { rule, fits, not, unknown, failed } = tally
    const told = fits + not
    const clients = fits === 0 ? 0 : tally.clients.count
    const quietTold = quiet?.reduce((sum, { told }) => sum + told[index]!, 0) ?? 0
    const quietTouched = quiet?.reduce((sum, { touched }) => sum + touched[index]!, 0) ?? 0
    const report = {
      name: rule.name,
      when: rule.config.when,
      effect: rule.name === '' ? ('' as const) : rule.effect,
      until: rule.config.until ?? null,
      looksAt: rule.looksAt,
      requests: fits,
      share: ratio(fits, told),
      clients,
      clientShare: Math.min(1, ratio(clients, this.#clients.count)),
      decidedBefore: tally.decidedBefore,
      unknown,
      unknownFacts: [...tally.missing],
      failed,
      quietShare: quietTold === 0 ? null : quietTouched / quietTold,
      visitorShare:
        this.#visitors === undefined || this.#visitors === 0 ? null : tally.visitors / this.#visitors,
      examples: tally.examples,
      paths: mostOf(tally.paths),
      agents: mostOf(tally.agents),
      networks: mostOf(tally.networks),
      commonAgents: this.#commonAgents(tally),
    }
    return { ...report, warnings: this.#warningsOf(report, rule.untilMs <= nowMs) }
  }

  #commonAgents(tally: RuleTally): RuleReport['commonAgents'] {
    const touched = new Map(
      tally.agents.top(NAMES_TRACKED).map(({ name, count, error }) => [name, count - error]),
    )
    return mostOf(this.#agents).map(({ name, requests }) => ({
      name,
      ofAll: ratio(requests, this.#requests),
      touched: Math.min(1, ratio(touched.get(name) ?? 0, requests)),
    }))
  }

  #warningsOf(report: Omit<RuleReport, 'warnings'>, isOver: boolean): string[] {
    const { effect, requests, unknown, unknownFacts, quietShare, visitorShare, share, failed, until } = report
    const warnings: string[] = []
    if (effect !== 'allow') {
      if (quietShare !== null && quietShare > MOST_SHARE)
        warnings.push(
          `It touches ${percent(quietShare)} of the requests in quiet minutes, more than ${percent(MOST_SHARE)}: these are mostly visitors.`,
        )
      else if (quietShare === null && share > MOST_SHARE)
        warnings.push(
          `It touches ${percent(share)} of all requests, more than ${percent(MOST_SHARE)}, and there are too few minutes to tell quiet ones from a flood.`,
        )
      if (visitorShare !== null && visitorShare > MOST_SHARE)
        warnings.push(
          `It touches ${percent(visitorShare)} of the requests of those who had shown effort or history.`,
        )
    }
    if (effect === 'allow' && !report.looksAt.some((fact) => HARD_TO_FORGE.test(fact)))
      warnings.push(
        'It lets in whoever asks so: nothing that it looks at is hard to forge. Add client.inNetwork(…), or give keys (challenge.tokens).',
      )
    if (requests === 0 && unknown === 0) warnings.push('It fits nothing here.')
    if (unknown > 0)
      warnings.push(
        `Of ${unknown} requests it cannot be told: ${unknownFacts.join(', ')} ${unknownFacts.length === 1 ? 'is' : 'are'} not shown here.`,
      )
    if (failed > 0)
      warnings.push(
        `On ${failed} requests it could not be evaluated, which is a fault of Digue: please report it.`,
      )
    if (isOver) warnings.push(`It ended with ${until} and no longer acts.`)
    const looksAtAgent = report.looksAt.some(
      (fact) => fact === 'traits.agent' || fact === 'headers.user-agent',
    )
    if (looksAtAgent && this.#named === 0 && this.#requests > 0)
      warnings.push('No request here names a user agent: if the log does not keep them, this says nothing.')
    return warnings
  }
}

const HARD_TO_FORGE = /^(client\.|traits\.(network|clearance)$)/
const NO_AGENT = '(none)'
const PATH = TRAITS.findIndex(({ name }) => name === 'path')

/** Undefined when there are too few minutes for a median to mean something. */
function quietOf(minutes: readonly Minute[]): readonly Minute[] | undefined {
  if (minutes.length < 10) return undefined
  const sorted = minutes.map(({ all }) => all).sort((a, b) => a - b)
  const median = sorted[sorted.length >>> 1]!
  return minutes.filter(({ all }) => all <= QUIET * median)
}

function mostOf(names: SpaceSaving): Frequent[] {
  return names
    .top(MOST_NAMES)
    .map(({ name, count }) => ({ name: name.slice(0, LONGEST_TEXT), requests: count }))
}

function userAgentOf(fields: readonly string[]): string {
  for (let i = 0; i < fields.length; i += 2)
    if (fields[i]!.toLowerCase() === 'user-agent') return fields[i + 1]!
  return ''
}

function ratio(part: number, all: number): number {
  return all === 0 ? 0 : part / all
}

export function percent(share: number): string {
  const hundredths = 100 * share
  if (hundredths === 0) return '0 %'
  if (hundredths < 0.01) return 'less than 0.01 %'
  return `${Number(hundredths.toFixed(hundredths < 1 ? 2 : hundredths < 10 ? 1 : 0))} %`
}
