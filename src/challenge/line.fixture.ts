/**
 * The waiting room in virtual time: visitors without JavaScript and bots that take tickets, one line,
 * and a lane that lets in so many a second, in random order, and sheds who has waited for a second. The
 * real lane is fair by network: what is shown here is what the line does alone. Deterministic for a seed.
 *
 * The Internet is the flood bench's: five providers with visitors in 16 of their 255 /24s each, twelve
 * hosting networks, two hundred networks of proxies.
 */
import { type Waiter, WaitingLine, weightInLine } from './line.ts'
import { createLineMemory, type LineSizes } from './line-memory.ts'
import { LineTurns } from './line-turns.ts'
import type { Ticket } from './ticket.ts'

export type Random = () => number

/** mulberry32. */
export function seeded(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const PROVIDER_SHARES = [0.438, 0.219, 0.146, 0.109, 0.088]
const HOMES_PER_PROVIDER = 16

const below = (random: Random, n: number) => Math.floor(random() * n)
const host = (random: Random) => 1 + below(random, 254)

function provider(random: Random): number {
  let left = random()
  for (let i = 0; i < PROVIDER_SHARES.length; i++) if ((left -= PROVIDER_SHARES[i]!) <= 0) return i
  return 0
}

/** Somebody at an address; `known`: calm weather taught shares. */
function at(octet: number, third: number, last: number, known: boolean): Waiter {
  const prefix = `127.${octet}.${third}.0/24`
  const asnShare = known && octet < 15 ? PROVIDER_SHARES[octet - 10]! : 0
  const isHome = octet < 15 && third % 16 === 1
  const prefixShare = isHome ? asnShare / HOMES_PER_PROVIDER : 0
  return { prefix, subscriber: `127.${octet}.${third}.${last}`, weight: weightInLine(asnShare, prefixShare) }
}

export const visitorAt = (random: Random, known: boolean): Waiter =>
  at(10 + provider(random), below(random, HOMES_PER_PROVIDER) * 16 + 1, host(random), known)

export const SOURCES = {
  hosting: (random: Random, known: boolean) =>
    at(40 + below(random, 12), below(random, 255), host(random), known),
  providers: (random: Random, known: boolean) =>
    at(10 + provider(random), below(random, 255), host(random), known),
  proxies: (random: Random, known: boolean) =>
    at(56 + below(random, 200), below(random, 255), host(random), known),
} as const

export interface Bots {
  readonly source: keyof typeof SOURCES
  readonly addresses: number
  /** Requests of all of them together. */
  readonly perSecond: number
  /**
   * `fresh`: each request with a ticket that was no place yet, so none is ever early, and goes in when
   * its turn has come. `early`: shows the ticket it was given, whenever it asks. `absent`: takes places and
   * never goes in.
   */
  readonly manner: 'fresh' | 'early' | 'absent'
}

export interface LineScene {
  readonly bots?: Bots
  readonly visitorsPerMinute: number
  readonly seconds: number
  /** Calm weather taught who visitors are. */
  readonly hasBaseline?: boolean
  readonly ratePerSecond?: number
  readonly patienceS?: number
  readonly sizes?: LineSizes
  readonly seed?: number
  /** What `Date.now() / 1000` says at a moment. */
  readonly wallS?: (second: number) => number
  /** Visitors from here, in place of the providers' homes. */
  readonly visitor?: (random: Random) => Waiter
}

export interface LineResult {
  readonly turns: LineTurns
  /** How long each visitor waited who was let in, s; in order of size. */
  readonly waitedS: readonly number[]
  readonly visitors: number
  /** Let in within 120 s. */
  readonly within120Share: number
  /** Waits that ended within what the first page said. */
  readonly honestShare: number
  readonly botsLetIn: number
  readonly polls: number
  /** Most places there ever were. */
  readonly mostWaiting: number
}

interface Visitor {
  readonly who: Waiter
  readonly arrivedS: number
  ticket: Pick<Ticket, 'joinedS' | 'dueS'> | undefined
  nextS: number
  promisedS: readonly [number, number] | undefined
  toldS: number
}

const STEP_S = 0.05
const TICK_S = 0.25
/** Of who was called and shed all the same. */
const CALLED_POLL_S = 5
/** The flood is under way when the first visitor comes. */
const BEFORE_S = 30

export function playLine(scene: LineScene): LineResult {
  const random = seeded(scene.seed ?? 1)
  const rate = scene.ratePerSecond ?? 77
  const known = scene.hasBaseline ?? true
  const patienceS = scene.patienceS ?? 300
  const memory = createLineMemory({ key: { k0: 1, k1: 2 }, ...scene.sizes })
  const line = new WaitingLine(memory)
  const turns = new LineTurns(memory)
  const wall = (s: number) => Math.floor((scene.wallS ?? ((second) => 1.8e9 + second))(s))
  const { bots } = scene
  const crowd = Array.from({ length: bots?.addresses ?? 0 }, () => SOURCES[bots!.source](random, known))
  const shown: (Pick<Ticket, 'joinedS' | 'dueS'> | undefined)[] = crowd.map(() => undefined)
  const waiting = new Set<Visitor>()
  const waitedS: number[] = []
  let visitors = 0
  let honest = 0
  let told = 0
  let botsLetIn = 0
  let polls = 0
  let mostWaiting = 0
  let lane = 0
  let due = 0
  let tickS = 0
  let arrivalS = BEFORE_S

  const queue: { readonly who: Waiter; readonly untilS: number; readonly over: (isIn: boolean) => void }[] =
    []
  const serve = (s: number): void => {
    lane = Math.min(rate, lane + rate * STEP_S)
    for (let i = queue.length - 1; i >= 0; i--) if (queue[i]!.untilS < s) queue.splice(i, 1)[0]!.over(false)
    while (lane >= 1 && queue.length > 0) {
      lane--
      const { who, over } = queue.splice(below(random, queue.length), 1)[0]!
      line.shown(who.subscriber)
      over(true)
    }
  }

  let s = 0
  const letIn = (visitor: Visitor): void => {
    waiting.delete(visitor)
    waitedS.push(s - visitor.arrivedS)
    if (visitor.promisedS === undefined) return
    told++
    const took = s - visitor.toldS
    if (took >= visitor.promisedS[0] - 1 && took <= visitor.promisedS[1] + 1) honest++
  }
  const poll = (visitor: Visitor): void => {
    if (s - visitor.arrivedS > patienceS) {
      waiting.delete(visitor)
      return
    }
    const standing = line.stand(visitor.who, visitor.ticket, { nowS: wall(s), random: random() })
    if (standing.admitted) {
      const over = (isIn: boolean): void => {
        if (isIn) letIn(visitor)
        else comeBack(visitor, standing.joinedS, CALLED_POLL_S)
      }
      queue.push({ who: visitor.who, untilS: s + 1, over })
      return
    }
    comeBack(visitor, standing.joinedS, standing.pollS)
    if (visitor.promisedS !== undefined) return
    visitor.promisedS = standing.waitS
    visitor.toldS = s
  }
  const comeBack = (visitor: Visitor, joinedS: number, pollS: number): void => {
    visitor.ticket = { joinedS, dueS: wall(s) + pollS }
    visitor.nextS = s + pollS
  }

  const end = BEFORE_S + scene.seconds
  // Those who came late are given the time to be let in.
  for (; s < end + patienceS; s += STEP_S) {
    const nowS = wall(s)
    serve(s)
    if (s >= tickS) {
      turns.tick(s * 1000, nowS, rate)
      mostWaiting = Math.max(mostWaiting, turns.state().waiting)
      tickS += TICK_S
    }
    for (due += (bots?.perSecond ?? 0) * STEP_S; due >= 1; due--) {
      const i = below(random, crowd.length)
      const who = crowd[i]!
      polls++
      const ticket = bots!.manner === 'early' ? shown[i] : { joinedS: 0, dueS: nowS - 1 }
      const standing = line.stand(who, ticket, { nowS, random: random() })
      shown[i] = { joinedS: standing.joinedS, dueS: nowS + (standing.admitted ? 0 : standing.pollS) }
      // A longer queue only makes the simulation slow.
      if (standing.admitted && bots!.manner !== 'absent' && queue.length < 10 * rate)
        queue.push({ who, untilS: s + 1, over: (isIn) => void (botsLetIn += isIn ? 1 : 0) })
    }
    while (s >= arrivalS && arrivalS < end) {
      visitors++
      const who = (scene.visitor ?? ((r) => visitorAt(r, known)))(random)
      // The moment page's refresh is the first that has a ticket.
      waiting.add({ who, arrivedS: s, ticket: undefined, nextS: s + 1, promisedS: undefined, toldS: 0 })
      arrivalS += (-Math.log(1 - random()) * 60) / scene.visitorsPerMinute
    }
    for (const visitor of waiting) {
      if (s < visitor.nextS) continue
      visitor.nextS = Number.POSITIVE_INFINITY
      poll(visitor)
    }
  }
  waitedS.sort((a, b) => a - b)
  return {
    turns,
    waitedS,
    visitors,
    within120Share: waitedS.filter((s) => s <= 120).length / Math.max(1, visitors),
    honestShare: honest / Math.max(1, told),
    botsLetIn,
    polls,
    mostWaiting,
  }
}
