/**
 * Contrast sets: what many clients share now and hardly one did in calm weather.
 *
 * For each set of up to three terms ("speaks this TLS", "claims this agent and sends its fields in that order"):
 *
 *   support  = clients that show it now / clients now              ≥ 5 %, and ≥ 20 clients
 *   baseline = the same in calm weather (`BaselineView`)           ≤ 1 %, by its upper bound at 95 %
 *   lift     = support / baseline, which counts as one client at least   ≥ 10
 *   P(so many or more | the baseline's upper bound) < 1e-9         Poisson
 *
 * after STUCCO (Bay, Pazzani 2001: "Detecting group differences: mining contrast sets") with Apriori's pruning: a
 * set cannot be frequent when a part of it is not. Simulations taught the rest. Counting requests
 * condemned visitors, so distinct clients count. A link that goes viral makes paths, languages and referrers
 * frequent, so what a client's *program* is has to pass all of the above alone, and the rest may only narrow.
 * A shorter set wins over a longer one that is hardly rarer, a known value over "any that calm weather did not
 * show", what is hard to forge over what is easy. Sets are taken greedily, each by the clients that no other
 * covers yet, until 95 % of those that any set covers are covered, or sixteen are taken.
 *
 * Before a set is taken two groups of living witnesses are asked. Those who have proved effort or history now:
 * when it fits more than 1 % of them and at least three, from as many prefixes, it fits visitors; unless they are
 * hardly one in fifty of all that fit, and no tenth of the witnesses: then it is some of the flood's own clients that
 * solved a puzzle to speak for it, which three could otherwise do for a million. And those who were
 * here in calm weather with the same program: an app that asks every five seconds is one in a thousand of an hour's clients
 * and one in ten of any five seconds'; when a tenth of those that fit were here before, it is no flood that
 * fits. Either way the set is held back and shown.
 *
 * Measured: see README.md.
 */
import { type Term, TRAITS, UNFAMILIAR } from '#recognise'
import { type BaselineView, type CalmShare, LEAST_CALM_CLIENTS } from './baseline-view.ts'
import { BitSet } from './bit-set.ts'
import type { CurrentClient } from './current.ts'
import { poissonTail } from './statistics.ts'
import { CAN_BE_ABSENT, OF_PROGRAM } from './trait-columns.ts'

export const LEAST_SUPPORT = 0.05
export const LEAST_FITTING = 20
export const MOST_VISITORS = 0.01
/** All in force together: sixteen imitations of sixteen rare browsers would touch one visitor in six. */
export const MOST_VISITORS_IN_ALL = 0.03
export const LEAST_LIFT = 10
const MOST_CHANCE = 1e-9
export const MOST_SIGNATURES = 16
const MOST_TERMS = 3
const ENOUGH_COVERED = 0.95
/** A further signature must cover as many that no other covers. */
const LEAST_NEW_SHARE = 0.02
const LEAST_NEW = 10
/** Sets that cover nearly as many are judged by how few visitors they touch. */
const NEARLY = 0.9
/** A set of whose clients so many fit what was withdrawn is the same in other words. */
const SAME_CLIENTS = 0.5
const LEAST_WITNESSES = 3
const MOST_PROVEN_SHARE = 0.01
const MOST_REGULAR_SHARE = 0.1
/** A part of a set that was held back must have so few witnesses of so many that would be there by chance. */
const FEW_OF_EXPECTED = 0.1
const ENOUGH_EXPECTED = 10
/** Witnesses so few among those that fit are not believed, ... */
const LEAST_PROVEN_OF_FITS = 0.02
/** ... unless they are so many of all witnesses. */
const MANY_OF_PROVEN = 0.1
const REGULARS_ASKED = 400
/** From some six times the visitors on that calm weather cannot tell from none. */
const WORTH_REFINING = 2
/** Bounds of work, for values made up to be many: the most frequent are looked at. */
const MOST_ITEMS = 64
const MOST_SETS = 512
export const MOST_HELD_BACK = 8

/** Why a set is not published. */
export type HeldBackWhy = 'visitors' | 'together' | 'proven' | 'regulars' | 'withdrawn'

/** Terms with what is known of them. */
export interface ContrastSet {
  readonly terms: readonly Term[]
  /** Distinct clients that fit now, and their share. */
  readonly fits: number
  readonly support: number
  readonly calm: CalmShare
  readonly lift: number
}

/** Prefixes of those who have proved effort or history now, and those of them that fit. */
export interface FoundSet extends ContrastSet {
  readonly provenFits: number
  readonly proven: number
}

export interface HeldBackSet extends ContrastSet {
  readonly why: HeldBackWhy
  /** Of the witnesses asked, how many fit; 0 where none were. */
  readonly witnesses: number
  readonly witnessesOf: number
}

export interface Mined {
  readonly found: readonly FoundSet[]
  /** Some that say something new; for people. */
  readonly heldBack: readonly HeldBackSet[]
  /** All that living witnesses spoke against: none of them may stay in force. */
  readonly refuted: readonly (readonly Term[])[]
  /** Distinct clients looked at, and those of them that fit one of `found`. */
  readonly clients: number
  readonly covered: number
  /** Sets that were too many to look at. */
  readonly leftOut: number
}

export interface MiningOptions {
  /** This client was here in calm weather with the same program. */
  readonly isRegular: (client: CurrentClient) => boolean
  /** This client fits what was withdrawn just now: other words for the same clients are no better. */
  readonly isWithdrawn?: (client: CurrentClient) => boolean
  /** Already in force: it stays when it is as good as another. */
  readonly isInForce?: (terms: readonly Term[]) => boolean
}

interface Item {
  readonly column: number
  readonly term: Term
  readonly bits: BitSet
  readonly count: number
}

interface Candidate extends ContrastSet {
  readonly items: readonly Item[]
  readonly bits: BitSet
  /** Of how many visitors it touches at most: each step is three times as many. */
  readonly touch: number
  readonly inForce: boolean
}

export function mine(clients: readonly CurrentClient[], view: BaselineView, options: MiningOptions): Mined {
  const nothing: Mined = {
    found: [],
    heldBack: [],
    refuted: [],
    clients: clients.length,
    covered: 0,
    leftOut: 0,
  }
  if (!view.isReady || clients.length < LEAST_FITTING) return nothing
  return new Miner(clients, view, options).run()
}

class Miner {
  readonly #clients: readonly CurrentClient[]
  readonly #view: BaselineView
  readonly #options: MiningOptions
  readonly #least: number
  readonly #candidates: Candidate[] = []
  readonly #heldBack: (Candidate & Pick<HeldBackSet, 'why' | 'witnesses' | 'witnessesOf'>)[] = []
  #leftOut = 0

  constructor(clients: readonly CurrentClient[], view: BaselineView, options: MiningOptions) {
    this.#clients = clients
    this.#view = view
    this.#options = options
    this.#least = Math.max(LEAST_FITTING, Math.ceil(clients.length * LEAST_SUPPORT))
  }

  run(): Mined {
    const program: Item[] = []
    const rest: Item[] = []
    for (const item of this.#items()) (OF_PROGRAM[item.column] ? program : rest).push(item)
    const passing: Candidate[] = []
    for (const set of this.#grow([[]], program, MOST_TERMS)) {
      const candidate = this.#judge(set)
      if (candidate !== undefined) passing.push(candidate)
    }
    for (const candidate of passing) this.#refine(candidate, rest)
    this.#candidates.push(...passing)
    return this.#cover()
  }

  /** Terms that enough clients show, the most frequent first. */
  #items(): Item[] {
    const items: Item[] = []
    for (let column = 0; column < TRAITS.length; column++) items.push(...this.#itemsOf(column))
    items.sort((a, b) => b.count - a.count)
    this.#leftOut += Math.max(0, items.length - MOST_ITEMS)
    return items.slice(0, MOST_ITEMS).sort((a, b) => a.column - b.column)
  }

  #itemsOf(column: number): Item[] {
    const trait = TRAITS[column]!.name
    const size = this.#clients.length
    // Each value gets a number at first sight: all that follows is about numbers.
    const numbers = new Map<string, number>()
    const counts: number[] = []
    const numberOf = new Uint16Array(size)
    for (let i = 0; i < size; i++) {
      const value = this.#clients[i]!.traits[column] ?? ''
      let number = numbers.get(value)
      if (number === undefined) {
        numbers.set(value, (number = counts.length))
        counts.push(0)
      }
      counts[number]!++
      numberOf[i] = number
    }
    const items: Item[] = []
    const byNumber = new Map<number, BitSet>()
    const canBeUnfamiliar = this.#view.canBeUnfamiliar(column)
    const unfamiliar = new Uint8Array(counts.length)
    let unfamiliarCount = 0
    for (const [value, number] of numbers) {
      const count = counts[number]!
      if (canBeUnfamiliar && !this.#view.isFamiliar(column, value)) {
        unfamiliar[number] = 1
        unfamiliarCount += count
      }
      if (count < this.#least || (value === '' && !CAN_BE_ABSENT[column])) continue
      // A client that shows the very mark of "unfamiliar" must not be taken for all others.
      if (value === UNFAMILIAR) continue
      const bits = new BitSet(size)
      byNumber.set(number, bits)
      items.push({ column, term: { trait, value }, bits, count })
    }
    if (unfamiliarCount >= this.#least) {
      const bits = new BitSet(size)
      for (let i = 0; i < size; i++) if (unfamiliar[numberOf[i]!] === 1) bits.add(i)
      items.push({ column, term: { trait, value: UNFAMILIAR }, bits, count: unfamiliarCount })
    }
    if (byNumber.size > 0) for (let i = 0; i < size; i++) byNumber.get(numberOf[i]!)?.add(i)
    return items
  }

  /** All frequent sets of these items, one of a trait at most, beginning with each of `from`. */
  #grow(from: readonly (readonly Item[])[], items: readonly Item[], longest: number): Item[][] {
    const sets: Item[][] = []
    let level: { items: readonly Item[]; bits: BitSet | undefined }[] = from.map((set) => ({
      items: set,
      bits: set.reduce<BitSet | undefined>((bits, item) => bits?.and(item.bits) ?? item.bits, undefined),
    }))
    for (let length = 1; length <= longest && level.length > 0; length++) {
      const next: typeof level = []
      for (const { items: set, bits } of level)
        for (const item of items) {
          const last = set.at(-1)
          if (last !== undefined && item.column <= last.column) continue
          if (sets.length >= MOST_SETS) {
            this.#leftOut++
            continue
          }
          if (bits !== undefined && bits.countAnd(item.bits) < this.#least) continue
          const both = bits === undefined ? item.bits : bits.and(item.bits)
          sets.push([...set, item])
          next.push({ items: sets.at(-1)!, bits: both })
        }
      level = next
    }
    return sets
  }

  /** The set with its figures when it passes; undefined when not. */
  #judge(items: readonly Item[]): Candidate | undefined {
    const candidate = this.#measure(items)
    if (candidate === undefined) return undefined
    // A single client of calm weather's two hundred or more is no kind of visitors.
    if (candidate.calm.fittingClients <= 1 || candidate.calm.atMost <= MOST_VISITORS) return candidate
    this.#hold(candidate, 'visitors')
    return undefined
  }

  #measure(items: readonly Item[]): Candidate | undefined {
    const terms = items.map(({ term }) => term)
    const calm = this.#view.share(terms)
    if (calm.clients < LEAST_CALM_CLIENTS) return undefined
    const bits = items.map((item) => item.bits).reduce((all, one) => all.and(one))
    const fits = bits.count
    const size = this.#clients.length
    const support = fits / size
    const lift = support / Math.max(calm.share, 1 / calm.of)
    if (fits < this.#least || lift < LEAST_LIFT) return undefined
    if (poissonTail(fits, size * calm.atMost) >= MOST_CHANCE) return undefined
    const touch = Math.round(Math.log(calm.atMost / this.#view.leastShare) / Math.log(3))
    const inForce = this.#options.isInForce?.(terms) ?? false
    return { terms, items, bits, fits, support, calm, lift, touch, inForce }
  }

  /** What a client asks for, and where it is, may make a set rarer among visitors. */
  #refine(candidate: Candidate, rest: readonly Item[]): void {
    if (candidate.touch < WORTH_REFINING) return
    const { items } = candidate
    // Narrowing terms are put into the order of traits, wherever they belong.
    for (const extra of this.#grow([[]], rest, MOST_TERMS - items.length)) {
      if (this.#candidates.length >= MOST_SETS) {
        this.#leftOut++
        return
      }
      const narrowed = this.#measure([...items, ...extra].sort((a, b) => a.column - b.column))
      if (narrowed !== undefined && narrowed.touch < candidate.touch) this.#candidates.push(narrowed)
    }
  }

  #cover(): Mined {
    const size = this.#clients.length
    const all = new BitSet(size)
    for (const { bits } of this.#candidates) all.addAll(bits)
    const covered = new BitSet(size)
    const found: (Candidate & FoundSet)[] = []
    const leastNew = Math.max(LEAST_NEW, Math.ceil(size * LEAST_NEW_SHARE))
    const withdrawn = this.#withdrawnClients()
    let left = this.#candidates.filter((candidate) => {
      const isSame = candidate.bits.countAnd(withdrawn) >= SAME_CLIENTS * candidate.fits
      if (isSame) this.#hold(candidate, 'withdrawn')
      return !isSame
    })
    while (found.length < MOST_SIGNATURES && covered.count < ENOUGH_COVERED * all.count) {
      const gains = left
        .map((candidate) => ({ candidate, gain: candidate.bits.countWithout(covered) }))
        .filter(({ gain }) => gain >= leastNew)
      const most = Math.max(0, ...gains.map(({ gain }) => gain))
      const best = gains
        .filter(({ gain }) => gain >= NEARLY * most)
        .map(({ candidate }) => candidate)
        .sort(better)[0]
      if (best === undefined) break
      left = left.filter((candidate) => candidate !== best)
      const heard = this.#askWitnesses(best)
      if (heard === undefined) continue
      found.push({ ...best, ...heard })
      covered.addAll(best.bits)
    }
    const heldBack = this.#shownHeldBack(covered, leastNew)
    const refuted = this.#heldBack
      .filter(({ why }) => why === 'proven' || why === 'regulars')
      .map(({ terms }) => terms)
    return { found, heldBack, refuted, clients: size, covered: covered.count, leftOut: this.#leftOut }
  }

  #withdrawnClients(): BitSet {
    const bits = new BitSet(this.#clients.length)
    const { isWithdrawn } = this.#options
    if (isWithdrawn !== undefined)
      for (const [i, client] of this.#clients.entries()) if (isWithdrawn(client)) bits.add(i)
    return bits
  }

  /** Undefined when the set fits those who are visitors, and is held back. */
  #askWitnesses(candidate: Candidate): Pick<FoundSet, 'provenFits' | 'proven'> | undefined {
    const proven = new Set<string>()
    const fitting = new Set<string>()
    let regulars = 0
    let asked = 0
    // Hashing what a client shows is dear: some hundreds of them tell a tenth from a hundredth.
    const stride = Math.max(1, Math.floor(candidate.fits / REGULARS_ASKED))
    let fitted = 0
    for (let i = 0; i < this.#clients.length; i++) {
      const client = this.#clients[i]!
      const fits = candidate.bits.has(i)
      // One prefix is one witness: an attacker's single solver speaks for nobody else.
      if (client.isProven) {
        proven.add(client.prefix)
        if (fits) fitting.add(client.prefix)
      }
      if (!fits || fitted++ % stride !== 0) continue
      asked++
      if (this.#options.isRegular(client)) regulars++
    }
    const isProven = witnessesSpeakAgainst(fitting.size, proven.size, candidate.fits)
    if (isProven || this.#inherits(candidate, 'proven', fitting.size)) {
      this.#hold(candidate, 'proven', fitting.size, proven.size)
      return undefined
    }
    const isRegular = regulars >= LEAST_WITNESSES && regulars >= MOST_REGULAR_SHARE * asked
    if (
      isRegular ||
      this.#inherits(candidate, 'regulars', (regulars * candidate.fits) / Math.max(1, asked))
    ) {
      this.#hold(candidate, 'regulars', regulars, asked)
      return undefined
    }
    return { provenFits: fitting.size, proven: proven.size }
  }

  /**
   * A wider set was held back, and this part of it is not known to be another kind of clients: cut into pieces
   * small enough, whatever fits visitors would have fewer than three witnesses in each.
   */
  #inherits({ items, fits }: Candidate, why: HeldBackWhy, witnesses: number): boolean {
    return this.#heldBack.some((wider) => {
      if (wider.why !== why || wider.items.length >= items.length) return false
      if (!wider.items.every((item) => items.includes(item))) return false
      const expected = (wider.witnesses * fits) / (why === 'regulars' ? wider.witnessesOf : wider.fits)
      return expected < ENOUGH_EXPECTED || witnesses > FEW_OF_EXPECTED * expected
    })
  }

  #hold(candidate: Candidate, why: HeldBackWhy, witnesses = 0, witnessesOf = 0): void {
    this.#heldBack.push({ ...candidate, why, witnesses, witnessesOf })
  }

  /** Those that say something new of clients that no signature covers; of each reason the widest. */
  #shownHeldBack(covered: BitSet, leastNew: number): HeldBackSet[] {
    const shown: HeldBackSet[] = []
    const seen = new BitSet(this.#clients.length)
    seen.addAll(covered)
    // What would have been published but for a witness or the operator tells more than what is common anyway.
    const isCommon = ({ why }: { readonly why: HeldBackWhy }) => Number(why === 'visitors')
    const order = [...this.#heldBack].sort(
      (a, b) => isCommon(a) - isCommon(b) || a.items.length - b.items.length || b.fits - a.fits,
    )
    for (const held of order) {
      if (shown.length >= MOST_HELD_BACK) break
      if (held.bits.countWithout(seen) < leastNew) continue
      seen.addAll(held.bits)
      shown.push(held)
    }
    return shown
  }
}

/** Whether proven clients or requests that fit show that visitors do; of all proven ones, and among all that fit. */
export function speaksAgainst(provenFits: number, proven: number, fits: number): boolean {
  if (provenFits <= MOST_PROVEN_SHARE * proven) return false
  return provenFits >= LEAST_PROVEN_OF_FITS * fits || provenFits > MANY_OF_PROVEN * proven
}

/** The same of prefixes: one is one witness, and fewer than three are none. */
export function witnessesSpeakAgainst(provenFits: number, proven: number, fits: number): boolean {
  return provenFits >= LEAST_WITNESSES && speaksAgainst(provenFits, proven, fits)
}

function better(a: Candidate, b: Candidate): number {
  const unfamiliar = ({ terms }: Candidate) => terms.filter(({ value }) => value === UNFAMILIAR).length
  return (
    Number(b.inForce) - Number(a.inForce) ||
    a.touch - b.touch ||
    a.items.length - b.items.length ||
    unfamiliar(a) - unfamiliar(b) ||
    // Nearly as many is as many: what is harder to forge comes first among the traits.
    Math.round(b.support * 50) - Math.round(a.support * 50) ||
    a.items[0]!.column - b.items[0]!.column ||
    b.fits - a.fits
  )
}
