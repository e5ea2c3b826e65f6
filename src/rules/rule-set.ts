/** The rules of one site, in order: the first that fits decides. */
import type { Effect } from '#recognise'
import { Facts, UnknownFact } from './facts.ts'
import { compileExpression, type Expression, ExpressionError } from './language.ts'
import { MOST_RULES, type RuleConfig, RuleError, type RuleInput, type RuleVerdict } from './rule.ts'

export interface Decided {
  readonly name: string
  readonly effect: Effect
}

/** Since the set was made. */
export interface RuleCount {
  readonly name: string
  readonly effect: Effect
  readonly fitted: number
  /** Could not be evaluated, and so did not fit: a fault of Digue. */
  readonly failed: number
}

/** A day, to its end. */
const DATE = /^\d{4}-\d\d-\d\d$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/
const DAY_MS = 86_400_000

/** One rule, ready to be asked. */
export class Rule {
  /** As it was written. */
  readonly config: RuleConfig
  readonly name: string
  readonly effect: Effect
  /** Milliseconds since the epoch; Infinity when it has no end. */
  readonly untilMs: number
  /** "path", "headers.accept", "headers" for all of them, "traits.tls", "client.address". */
  readonly looksAt: readonly string[]
  readonly decided: Decided
  fitted = 0
  failed = 0
  /** Of these, told by `RuleSet.drain`. */
  toldFitted = 0
  toldFailed = 0
  readonly #expression: Expression

  /** Throws RuleError. */
  constructor(config: RuleConfig, index = 0) {
    this.config = config
    this.name = config.name
    this.effect = config.then
    this.untilMs = endOf(config.until, index)
    try {
      this.#expression = compileExpression(config.when)
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error
      throw new RuleError(
        error.message,
        { index, field: 'when', ...positionIn(config.when, error.offset) },
        { cause: error },
      )
    }
    this.looksAt = this.#expression.looksAt
    this.decided = { name: this.name, effect: this.effect }
  }

  /** Never throws, and does not look at `until`. */
  verdict(facts: Facts): RuleVerdict {
    try {
      return this.#expression.fits(facts) ? 'fits' : 'not'
    } catch (error) {
      return error instanceof UnknownFact ? 'unknown' : 'fault'
    }
  }
}

export class RuleSet {
  static readonly EMPTY: RuleSet = new RuleSet([])

  readonly rules: readonly Rule[]
  /** Requests of which something was beyond a bound (LONGEST_TEXT, MOST_NAMES), so that rules did not see it. */
  cutRequests = 0
  #toldCut = 0

  private constructor(rules: readonly Rule[]) {
    this.rules = rules
  }

  /** Throws a RuleError for the first thing that is wrong; `faultsOf` tells all. */
  static compile(rules: readonly RuleConfig[]): RuleSet {
    if (rules.length === 0) return RuleSet.EMPTY
    const compiled: Rule[] = []
    for (const fault of eachFault(rules, compiled)) throw fault
    return new RuleSet(compiled)
  }

  static faultsOf(rules: readonly RuleConfig[]): RuleError[] {
    return [...eachFault(rules, [])]
  }

  /** The first rule that fits; undefined when none does. Never throws. */
  decide(input: RuleInput): Decided | undefined {
    const { rules } = this
    if (rules.length === 0) return undefined
    const facts = new Facts(input)
    let decided: Decided | undefined
    for (const rule of rules) {
      if (input.nowMs >= rule.untilMs) continue
      const verdict = rule.verdict(facts)
      if (verdict === 'fits') {
        rule.fitted++
        decided = rule.decided
        break
      }
      if (verdict === 'fault') rule.failed++
    }
    if (facts.wasCut) this.cutRequests++
    return decided
  }

  counts(): RuleCount[] {
    return this.rules.map(({ name, effect, fitted, failed }) => ({ name, effect, fitted, failed }))
  }

  /** Those that did something since the last call, and by how much. */
  drain(): { readonly rules: readonly RuleCount[]; readonly cutRequests: number } {
    const rules: RuleCount[] = []
    for (const rule of this.rules) {
      const fitted = rule.fitted - rule.toldFitted
      const failed = rule.failed - rule.toldFailed
      if (fitted + failed > 0) rules.push({ name: rule.name, effect: rule.effect, fitted, failed })
      rule.toldFitted = rule.fitted
      rule.toldFailed = rule.failed
    }
    const cutRequests = this.cutRequests - this.#toldCut
    this.#toldCut = this.cutRequests
    return { rules, cutRequests }
  }
}

/** Those that are good end in `compiled`. */
function* eachFault(rules: readonly RuleConfig[], compiled: Rule[]): Generator<RuleError> {
  if (rules.length > MOST_RULES)
    yield new RuleError(`expected at most ${MOST_RULES} rules, got ${rules.length}`, {
      index: MOST_RULES,
      field: 'name',
    })
  const names = new Map<string, number>()
  for (const [index, config] of rules.slice(0, MOST_RULES).entries()) {
    const other = names.get(config.name)
    if (other !== undefined)
      yield new RuleError(
        `expected a name that no other rule has, got ${JSON.stringify(config.name.slice(0, 64))}, which rules[${other}] has already`,
        { index, field: 'name' },
      )
    else names.set(config.name, index)
    try {
      compiled.push(new Rule(config, index))
    } catch (error) {
      if (!(error instanceof RuleError)) throw error
      yield error
    }
  }
}

function endOf(until: string | undefined, index: number): number {
  if (until === undefined) return Number.POSITIVE_INFINITY
  const atMs = parseUntil(until)
  if (!Number.isNaN(atMs)) return atMs
  throw new RuleError(
    `expected a date such as "2026-12-31" or a time such as "2026-12-31T18:00:00Z", got ${JSON.stringify(until.slice(0, 40))}`,
    { index, field: 'until' },
  )
}

/** Milliseconds since the epoch: of a day, its end (UTC). NaN for what is neither a day nor a time. */
export function parseUntil(until: string): number {
  if (DATE.test(until)) return Date.parse(until) + DAY_MS
  return TIME.test(until) ? Date.parse(until) : Number.NaN
}

function positionIn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1 }
}
