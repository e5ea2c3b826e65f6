/**
 * Who is next, and who has to go: hierarchical start-time fair queueing with weighted eviction.
 *
 *   root ─▶ lane ─▶ network (ASN) ─▶ prefix ─▶ subscriber ─▶ its waiting entries (32 at most)
 *
 * Problem: a flood brings far more requests than the origin can serve, from addresses that cost the
 * attacker nothing. A limit per address binds only the few hot ones; what the attacker cannot choose
 * freely is the *networks* his machines stand in. So capacity is divided top down, at each step in
 * proportion to weights that come from calm weather (weights.ts), and work-conserving: what one
 * child leaves, its siblings share.
 *
 * Formula (start-time fair queueing: Goyal, Vin, Cheng 1996; hierarchical: Bennett, Zhang 1996).
 * Every node keeps a virtual time V for its children; each child has a finish tag F and a weight w.
 *
 *   becomes backlogged    S = max(V, F)
 *   dispatched, cost c    V = max(V, S) + c / W      F = S + c / w        S = F if more is waiting
 *   next                  the child with the smallest S
 *   settled at cost c'    F = F + (c' − c) / w       the price is known only afterwards
 *
 * W is the sum of the weights of the active children (waiting or in flight). Plain SFQ sets V = S
 * without the c / W: then a never-ending row of children seen for the first time, each starting at V,
 * starves every child that has been served once, however heavy. That row is what a flood from cold
 * addresses is. With c / W, V goes on as in a fluid system, and the heavy child's turn comes.
 *
 * The pool. Children that nothing distinguishes (no weight of their own, nothing consumed: "fresh")
 * stand in the order as one: a pool that weighs as much as they do together and 5 % of its siblings.
 * Each by itself would get its first request at once, whatever its weight, and a flood consists of
 * first requests (in the test below they took 41 % with 5 % of the weight). Within the pool the one
 * with the most effort goes first, then the newest: in overload the oldest waiter has likely left.
 * Once served, a child is on its own, with its tag.
 *
 * Marks. A payer may be *marked*: its handwriting is the flood's (recognise). In the unproven lane the marked
 * of a network stand under a node of their own beside their network's, with a tenth of its weight:
 *
 *   lane ─▶ network 64500  (w) ───────▶ prefix ─▶ subscriber
 *       └─▶ its marked (w / 10) ─▶ prefix ─▶ subscriber
 *
 * What they are served is charged to that node alone, so the network's visitors pay nothing for it, and who was marked
 * by mistake keeps his place among the marked. Among them the calm-weather weights hold as among the
 * others. Without a baseline all marked stand under one node, with a tenth of what all the others weigh.
 * Fresh marked nodes are a pool of their own with a tenth of everything, its part of the siblings too: in one
 * pool with the others they would move its start tag, and a visitor would wait for what they were served.
 * Effort does not lift a mark: who has proved some is in another lane, where marks mean nothing.
 * Rejected: a tenth of the *payer's* weight below the network's own node (a flood of marked subscribers is
 * still charged to the network, and its visitors starve with it); a lane for the marked (they would share
 * whatever the known and the payers leave, whether or not unproven visitors need it).
 *
 * Eviction when full: the entry that would be served last goes. A child's last entry ends at virtual
 * time S + backlog / w, so the victim is found by walking down the child with the greatest such tail;
 * dispatching leaves a tail unchanged, so its heap moves only on arrivals, departures and settling. Of fresh
 * children marked ones go first, then the one with the least effort, then the oldest.
 *
 * Rejected: deficit round robin (a round over ten thousand cold subscribers is long, and tags compare
 * across threads while deficits do not); a flat queue with weights multiplied down the tree (a network
 * of a hundred thousand addresses would collect a hundred thousand floors); random eviction (in a
 * flood of 95 % it takes the visitor's place in 5 % of the cases per arrival, many times a second).
 *
 * Memory: nodes are bounded (`maxNodes`), entries by `maxWaiting` and the caller's permits. An idle
 * node whose F ≤ V says nothing and is recycled first; then the one idle longest. Whoever finds no
 * node is charged to one overflow subscriber per lane, and counted.
 */
import { assert, Heap } from '#kit'
import { LANES, type Lane } from './claim.ts'
import { FLAT_WEIGHTS, type Weights } from './weights.ts'

/** Whom an entry is charged to. */
export interface Payer {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly account?: string
  readonly lane: Lane
  readonly effort: number
  /** It shows a flood's handwriting; without meaning but in the unproven lane. */
  readonly marked?: boolean
}

/** Shares of the lanes; what one does not use the others take. */
export const LANE_SHARES: Readonly<Record<Lane, number>> = {
  operator: 0.02,
  known: 0.5,
  paid: 0.35,
  // Those without JavaScript have only these two ways in; a place in the waiting room is worth more than none.
  waiting: 0.12,
  unproven: 0.01,
}

export interface FairQueueOptions {
  readonly weights?: Weights
  readonly laneShares?: Readonly<Record<Lane, number>>
  /** `isFull` from here on; the queue itself takes more. */
  readonly maxWaiting?: number
  /**
   * Entries in line of one subscriber once half of `maxWaiting` is taken. A page's navigation and its twenty assets over HTTP/2 must fit;
   * to hold fewer would not be fairer, for whoever has most waiting is evicted first.
   */
  readonly maxPerSubscriber?: number
  readonly maxWaitMs?: number
  readonly maxNodes?: number
  readonly count?: (counter: string, by?: number) => void
}

/** One item's place. `waiting` → (`dequeue`) `dispatched` → (`charge`) `gone`, or `waiting` → `gone`. */
export interface Entry<T> {
  readonly item: T
  readonly enqueuedAtMs: number
  readonly cost: number
  readonly effort: number
  state: 'waiting' | 'dispatched' | 'gone'
}

class Place<T> implements Entry<T> {
  readonly item: T
  readonly enqueuedAtMs: number
  readonly cost: number
  readonly effort: number
  readonly leaf: Node<T>
  state: 'waiting' | 'dispatched' | 'gone'
  /** The line of all waiting entries, oldest first. */
  older: Place<T> | undefined = undefined
  newer: Place<T> | undefined = undefined
  /** The subscriber's entries, best first. */
  better: Place<T> | undefined = undefined
  worse: Place<T> | undefined = undefined

  constructor(
    item: T,
    leaf: Node<T>,
    cost: number,
    effort: number,
    nowMs: number,
    state: 'waiting' | 'dispatched',
  ) {
    this.item = item
    this.leaf = leaf
    this.cost = cost
    this.effort = effort
    this.enqueuedAtMs = nowMs
    this.state = state
  }
}

const EFFORT_BUCKETS = 8
/** Efforts within a factor of four count as equal bids. */
function effortBucket(effort: number): number {
  return effort < 1 ? 0 : Math.min(EFFORT_BUCKETS - 1, 1 + (Math.log2(effort) >> 1))
}

/** What a node needs to choose among its children; subscribers have none. */
class Children<T> {
  virtual = 0
  activeWeight = 0
  /** Nodes alive below, idle ones included. */
  count = 0
  readonly byStart = new Heap<Node<T>>((node, index) => {
    node.startIndex = index
  })
  readonly byTail = new Heap<Node<T>>((node, index) => {
    node.tailIndex = index
  })
  /** Of fresh children, made when the first one comes; marked ones have their own. */
  pool: Pool<T> | undefined = undefined
  markedPool: Pool<T> | undefined = undefined
}

/** Fresh children as one. */
class Pool<T> {
  /** Stands in `byStart` for all of them while there are any. */
  readonly node = new Node<T>(POOL, '', undefined, undefined)
  start = 0
  size = 0
  /** By effort: doubly linked, oldest at the head. One bit per non-empty bucket. */
  bits = 0
  readonly oldest = new Array<Node<T> | undefined>(EFFORT_BUCKETS).fill(undefined)
  readonly newest = new Array<Node<T> | undefined>(EFFORT_BUCKETS).fill(undefined)
  /** Of its siblings' weight, beside what its members weigh. */
  readonly floor: number

  constructor(floor: number) {
    this.node.pool = this
    this.floor = floor
  }
}

const POOL = -1
const ROOT = 0
const LANE = 1
const ASN = 2
const PREFIX = 3
const SUBSCRIBER = 4

class Node<T> {
  readonly level: number
  key: string | number
  parent: Node<T> | undefined
  lane: LaneIndex<T> | undefined
  readonly children: Children<T> | undefined
  weight = 1
  /** Has a weight of its own from calm weather. */
  known = false
  weightsVersion = -1
  finish = 0
  start = 0
  startIndex = -1
  tailIndex = -1
  /** Entries and cost waiting below. */
  waiting = 0
  backlog = 0
  /** Entries waiting or in flight below. */
  active = 0
  /** Effort bucket while fresh, else -1. */
  fresh = -1
  freshOlder: Node<T> | undefined = undefined
  freshNewer: Node<T> | undefined = undefined
  /** Of the node that stands for a pool. */
  pool: Pool<T> | undefined = undefined
  best: Place<T> | undefined = undefined
  worst: Place<T> | undefined = undefined
  idle = false
  idleOlder: Node<T> | undefined = undefined
  idleNewer: Node<T> | undefined = undefined

  constructor(
    level: number,
    key: string | number,
    parent: Node<T> | undefined,
    lane: LaneIndex<T> | undefined,
  ) {
    this.level = level
    this.key = key
    this.parent = parent
    this.lane = lane
    this.children = level === SUBSCRIBER || level === POOL ? undefined : new Children<T>()
  }
}

/** A lane's nodes by name; those of the marked have names of their own. */
interface LaneIndex<T> {
  readonly node: Node<T>
  readonly marked: boolean
  readonly asns: Map<string | number, Node<T>>
  readonly prefixes: Map<string | number, Node<T>>
  readonly subscribers: Map<string | number, Node<T>>
  overflow: Node<T> | undefined
}

/**
 * Shares anything scarce among lanes, networks, prefixes and subscribers: the origin's milliseconds,
 * an edge thread's TLS handshakes, room for connections. The caller says when something is free.
 *
 * - to share a rate: `enqueue`, then `dequeue` when there is room, then `charge` with the true cost;
 *   `pass` for what need not wait;
 * - to share room: `enqueue` each holder with its size, `evict` when full, `withdraw` when it leaves.
 */
export class FairQueue<T> {
  /** Entries in line before `isFull`; its owner may change it. */
  maxWaiting: number
  readonly maxPerSubscriber: number
  readonly maxWaitMs: number
  readonly maxNodes: number
  readonly #weights: Weights
  readonly #laneShares: Readonly<Record<Lane, number>>
  readonly #count: (counter: string, by?: number) => void
  readonly #root = new Node<T>(ROOT, '', undefined, undefined)
  readonly #lanes = new Map<Lane | typeof MARKED, LaneIndex<T>>()
  #hadBaseline = false
  #nodes = 0
  #oldest: Place<T> | undefined = undefined
  #newest: Place<T> | undefined = undefined
  /** Forgotten nodes by level, to be used again. */
  readonly #spare: Node<T>[][] = [[], [], [], [], []]
  #idleOldest: Node<T> | undefined = undefined
  #idleNewest: Node<T> | undefined = undefined

  constructor(options: FairQueueOptions = {}) {
    this.#weights = options.weights ?? FLAT_WEIGHTS
    this.#laneShares = options.laneShares ?? LANE_SHARES
    this.maxWaiting = options.maxWaiting ?? 2048
    this.maxPerSubscriber = options.maxPerSubscriber ?? 32
    this.maxWaitMs = options.maxWaitMs ?? 1000
    this.maxNodes = options.maxNodes ?? 16_384
    this.#count = options.count ?? (() => {})
  }

  /** Entries waiting. */
  get size(): number {
    return this.#root.waiting
  }

  get isFull(): boolean {
    return this.#root.waiting >= this.maxWaiting
  }

  /** Aggregates remembered: never more than `maxNodes` and one overflow chain per lane and for the marked. */
  get nodes(): number {
    return this.#nodes
  }

  /** Start tag of whoever is next, comparable across the threads of a site; Infinity when nobody waits. */
  get nextTag(): number {
    return this.#root.children!.byStart.minKey
  }

  /** Moves the queue's virtual time up to that of another thread's queue. */
  lift(virtual: number): void {
    const children = this.#root.children!
    if (virtual > children.virtual && virtual < Number.POSITIVE_INFINITY) children.virtual = virtual
  }

  /** Takes a place in line; undefined when its subscriber already has as many as one may. */
  enqueue(item: T, payer: Payer, cost: number, nowMs: number): Entry<T> | undefined {
    const leaf = this.#leafOf(payer)
    // Half a line of room is calm weather: there a page with its assets, or an office behind one
    // address, may ask for all it wants at once.
    const isContended = this.#root.waiting * 2 >= this.maxWaiting
    if (isContended && leaf.waiting >= this.maxPerSubscriber && leaf !== leaf.lane!.overflow) return undefined
    const place = new Place(item, leaf, cost, payer.effort, nowMs, 'waiting')
    place.older = this.#newest
    if (this.#newest) this.#newest.newer = place
    else this.#oldest = place
    this.#newest = place
    insertInto(leaf, place)
    const bucket = effortBucket(payer.effort)
    let node = leaf
    while (node.parent) {
      this.#activate(node)
      node.backlog += cost
      const children = node.parent.children!
      if (++node.waiting === 1) {
        const isFresh = !node.known && node.finish <= children.virtual
        node.start = Math.max(children.virtual, node.finish)
        if (isFresh) addFresh(children, node, bucket)
        else children.byStart.push(node, node.start)
        children.byTail.push(node, -(node.start + node.backlog / node.weight))
      } else {
        children.byTail.update(node.tailIndex, -(node.start + node.backlog / node.weight))
        if (node.fresh >= 0) {
          // Linked anew as the newest of its bucket.
          const best = Math.max(node.fresh, bucket)
          const pool = poolOf(children, node)
          unlinkFresh(pool, node)
          linkFresh(pool, node, best)
        }
      }
      node = node.parent
    }
    node.waiting++
    node.active++
    return place
  }

  /** Dispatches at once, without a place in line, and charges the expected cost. */
  pass(item: T, payer: Payer, cost: number, nowMs: number): Entry<T> {
    const leaf = this.#leafOf(payer)
    let node = leaf
    while (node.parent) {
      this.#activate(node)
      const children = node.parent.children!
      if (node.waiting === 0) {
        const start = Math.max(children.virtual, node.finish)
        children.virtual = start + cost / children.activeWeight
        node.finish = start + cost / node.weight
      } else {
        children.virtual += cost / children.activeWeight
        this.#shift(node, cost / node.weight)
      }
      node = node.parent
    }
    node.active++
    return new Place(item, leaf, cost, payer.effort, nowMs, 'dispatched')
  }

  /** The next entry in fair order, charged its expected cost. */
  dequeue(): Entry<T> | undefined {
    let node = this.#root
    if (node.waiting === 0) return undefined
    while (node.children) node = nextChild(node.children)
    const place = node.best!
    this.#leave(place)
    place.state = 'dispatched'
    const cost = place.cost
    while (node.parent) {
      const children = node.parent.children!
      const wasFresh = node.fresh >= 0
      let start = node.start
      if (wasFresh) {
        const pool = poolOf(children, node)
        start = Math.max(children.virtual, pool.start)
        pool.start = start + cost / (pool.size * node.weight + pool.floor * children.activeWeight)
        removeFresh(children, node)
      }
      children.virtual = Math.max(children.virtual, start) + cost / children.activeWeight
      node.finish = start + cost / node.weight
      node.backlog -= cost
      if (--node.waiting === 0) stopWaiting(children, node)
      else {
        node.start = node.finish
        if (wasFresh) children.byStart.push(node, node.start)
        else children.byStart.update(node.startIndex, node.start)
        children.byTail.update(node.tailIndex, -(node.start + node.backlog / node.weight))
      }
      node = node.parent
    }
    node.waiting--
    return place
  }

  /** Takes out the entry that would be served last: from the most over-share aggregate. */
  evict(): Entry<T> | undefined {
    let node = this.#root
    if (node.waiting === 0) return undefined
    while (node.children) node = lastChild(node.children)
    const place = node.worst!
    this.withdraw(place)
    return place
  }

  /** Takes out the oldest entry if it has waited as long as anyone may. */
  expire(nowMs: number): Entry<T> | undefined {
    const place = this.#oldest
    if (place === undefined || nowMs - place.enqueuedAtMs < this.maxWaitMs) return undefined
    this.withdraw(place)
    return place
  }

  /** A waiting entry leaves; nothing is charged. */
  withdraw(entry: Entry<T>): void {
    const place = entry as Place<T>
    assert(place.state === 'waiting', `withdraw: entry is ${place.state}`)
    this.#leave(place)
    place.state = 'gone'
    let node = place.leaf
    while (node.parent) {
      const children = node.parent.children!
      node.backlog -= place.cost
      if (--node.waiting === 0) {
        if (node.fresh >= 0) removeFresh(children, node)
        stopWaiting(children, node)
      } else children.byTail.update(node.tailIndex, -(node.start + node.backlog / node.weight))
      node = node.parent
    }
    node.waiting--
    this.#deactivate(place.leaf)
  }

  /** A dispatched entry is over: its aggregates pay what it really cost. */
  charge(entry: Entry<T>, actualCost: number): void {
    const place = entry as Place<T>
    assert(place.state === 'dispatched', `charge: entry is ${place.state}`)
    place.state = 'gone'
    const difference = actualCost - place.cost
    if (difference !== 0) {
      let node = place.leaf
      while (node.parent) {
        this.#shift(node, difference / node.weight)
        node = node.parent
      }
    }
    this.#deactivate(place.leaf)
  }

  /** Moves a node's tags, up for a debt, down for a refund. */
  #shift(node: Node<T>, by: number): void {
    node.finish += by
    if (node.waiting === 0) return
    const children = node.parent!.children!
    node.start += by
    if (node.fresh < 0) children.byStart.update(node.startIndex, node.start)
    else if (by > 0) {
      removeFresh(children, node)
      children.byStart.push(node, node.start)
    }
    children.byTail.update(node.tailIndex, -(node.start + node.backlog / node.weight))
  }

  #leave(place: Place<T>): void {
    if (place.older) place.older.newer = place.newer
    else this.#oldest = place.newer
    if (place.newer) place.newer.older = place.older
    else this.#newest = place.older
    place.older = place.newer = undefined
    removeFrom(place.leaf, place)
  }

  /** Counts an entry below `node`; the first one makes its weight count among its siblings. */
  #activate(node: Node<T>): void {
    if (node.active++ > 0) return
    if (node.idle) this.#unlinkIdle(node)
    if (node.weightsVersion !== this.#weights.version) this.#weigh(node)
    node.parent!.children!.activeWeight += node.weight
  }

  #deactivate(leaf: Node<T>): void {
    let node = leaf
    while (node.parent) {
      const parent = node.parent
      if (--node.active === 0) {
        const children = parent.children!
        children.activeWeight -= node.weight
        if (node.level > LANE && (node.children?.count ?? 0) === 0) {
          // Whoever was never served owes nothing: most of a flood is gone at once.
          if (node.finish === 0 && node.level > ASN && node !== node.lane!.overflow) this.#forget(node)
          else this.#linkIdle(node)
        }
      }
      node = parent
    }
    // Sums of floats drift: begin anew whenever everything is quiet.
    if (--node.active === 0) node.children!.activeWeight = 0
  }

  #weigh(node: Node<T>): void {
    const weights = this.#weights
    node.weightsVersion = weights.version
    if (node.level === LANE) {
      node.weight = this.#laneShares[node.key as Lane]
      node.known = true
      return
    }
    const parentWeight = node.parent!.weight
    const part = isMarked(node) ? MARKED_WEIGHT : 1
    let share = 0
    if (node.level === ASN) share = node.key === OVERFLOW_ASN ? 0 : weights.asn(node.key as number)
    else if (node.level === PREFIX) share = weights.prefix(node.key as string)
    else share = weights.subscriber(node.key as string)
    node.known = share > 0
    if (node.level === ASN) node.weight = (share + weights.floor) * part
    else node.weight = share * part + parentWeight * (node.level === PREFIX ? PREFIX_FLOOR : SUBSCRIBER_FLOOR)
  }

  #leafOf(payer: Payer): Node<T> {
    const name = payer.marked === true && payer.lane === 'unproven' ? MARKED : payer.lane
    const lane = this.#lanes.get(name) ?? this.#openLane(name)
    if (this.#weights.hasBaseline !== this.#hadBaseline) this.#regroup()
    const account = payer.account ?? payer.subscriber
    const known = lane.subscribers.get(account)
    if (known) return known
    let prefix = lane.prefixes.get(payer.prefix)
    if (prefix === undefined) {
      // Without a baseline a network's share would be a guess that favours the flood: see weights.ts.
      const number = this.#weights.hasBaseline ? payer.asn : 0
      let asn = lane.asns.get(number)
      if (asn === undefined) {
        asn = this.#make(ASN, number, lane.node, lane)
        if (asn === undefined) return this.#overflow(lane)
        lane.asns.set(number, asn)
      }
      // Held as active so that making room for its child does not recycle it.
      asn.active++
      prefix = this.#make(PREFIX, payer.prefix, asn, lane)
      asn.active--
      if (prefix === undefined) return this.#overflow(lane, asn)
      lane.prefixes.set(payer.prefix, prefix)
    }
    prefix.active++
    const leaf = this.#make(SUBSCRIBER, account, prefix, lane)
    prefix.active--
    if (leaf === undefined) return this.#overflow(lane, prefix)
    lane.subscribers.set(account, leaf)
    return leaf
  }

  /** The first baseline has come: networks exist now. Nodes in use finish where they are. */
  #regroup(): void {
    this.#hadBaseline = this.#weights.hasBaseline
    for (const lane of this.#lanes.values()) {
      lane.asns.clear()
      lane.prefixes.clear()
      lane.subscribers.clear()
    }
  }

  #openLane(name: Lane | typeof MARKED): LaneIndex<T> {
    const marked = name === MARKED
    assert(marked || LANES.includes(name), `unknown lane ${name}`)
    let node: Node<T>
    if (marked) node = (this.#lanes.get('unproven') ?? this.#openLane('unproven')).node
    else {
      node = new Node<T>(LANE, name, this.#root, undefined)
      this.#weigh(node)
    }
    const lane: LaneIndex<T> = {
      node,
      marked,
      asns: new Map(),
      prefixes: new Map(),
      subscribers: new Map(),
      overflow: undefined,
    }
    this.#lanes.set(name, lane)
    return lane
  }

  #overflow(lane: LaneIndex<T>, childless?: Node<T>): Node<T> {
    this.#count('fairQueueOverflow')
    if (childless && childless.active === 0 && childless.children!.count === 0 && !childless.idle)
      this.#linkIdle(childless)
    if (lane.overflow === undefined) {
      const asn = this.#build(ASN, OVERFLOW_ASN, lane.node, lane)
      const prefix = this.#build(PREFIX, '', asn, lane)
      lane.overflow = this.#build(SUBSCRIBER, '', prefix, lane)
      // Never recycled: counts as its own child.
      prefix.children!.count++
      asn.children!.count++
    }
    return lane.overflow
  }

  #make(level: number, key: string | number, parent: Node<T>, lane: LaneIndex<T>): Node<T> | undefined {
    if (this.#nodes >= this.maxNodes && !this.#recycle(parent)) return undefined
    if (parent.idle) this.#unlinkIdle(parent)
    return this.#build(level, key, parent, lane)
  }

  #build(level: number, key: string | number, parent: Node<T>, lane: LaneIndex<T>): Node<T> {
    const node = this.#reuse(level, key, parent, lane)
    parent.children!.count++
    this.#nodes++
    this.#weigh(node)
    return node
  }

  #reuse(level: number, key: string | number, parent: Node<T>, lane: LaneIndex<T>): Node<T> {
    const node = this.#spare[level]!.pop()
    if (node === undefined) return new Node<T>(level, key, parent, lane)
    node.key = key
    node.parent = parent
    node.lane = lane
    node.finish = node.start = 0
    const { children } = node
    if (children) {
      children.virtual = children.activeWeight = 0
      if (children.pool) children.pool.start = 0
      if (children.markedPool) children.markedPool.start = 0
    }
    return node
  }

  /** Forgets one idle node, preferably one that is owed and owes nothing. */
  #recycle(spared: Node<T>): boolean {
    let candidate = this.#idleOldest
    let victim: Node<T> | undefined
    for (let looked = 0; candidate && looked < 8; looked++, candidate = candidate.idleNewer) {
      if (candidate === spared) continue
      victim ??= candidate
      if (candidate.finish <= candidate.parent!.children!.virtual) {
        victim = candidate
        break
      }
    }
    if (victim === undefined) return false
    if (victim.finish > victim.parent!.children!.virtual) this.#count('fairQueueDebtForgotten')
    this.#unlinkIdle(victim)
    const parent = victim.parent!
    this.#forget(victim)
    if (parent.children!.count === 0 && parent.active === 0 && parent.level > LANE) this.#linkIdle(parent)
    return true
  }

  /** Takes a node out of the tree and keeps the object: new ones in old memory are dear to collect. */
  #forget(node: Node<T>): void {
    const lane = node.lane!
    // After a new baseline the same name may stand for a newer node.
    const index = node.level === ASN ? lane.asns : node.level === PREFIX ? lane.prefixes : lane.subscribers
    if (index.get(node.key) === node) index.delete(node.key)
    this.#nodes--
    node.parent!.children!.count--
    this.#spare[node.level]!.push(node)
  }

  #linkIdle(node: Node<T>): void {
    if (node === node.lane!.overflow) return
    node.idle = true
    node.idleOlder = this.#idleNewest
    if (this.#idleNewest) this.#idleNewest.idleNewer = node
    else this.#idleOldest = node
    this.#idleNewest = node
  }

  #unlinkIdle(node: Node<T>): void {
    if (node.idleOlder) node.idleOlder.idleNewer = node.idleNewer
    else this.#idleOldest = node.idleNewer
    if (node.idleNewer) node.idleNewer.idleOlder = node.idleOlder
    else this.#idleNewest = node.idleOlder
    node.idleOlder = node.idleNewer = undefined
    node.idle = false
  }
}

const OVERFLOW_ASN = -1
/** Index of the unproven lane's marked. */
const MARKED = 'marked'
/** Of a network's weight, for those of it that show a flood's handwriting. */
export const MARKED_WEIGHT = 0.1
/** A prefix that calm weather did not know, as a part of its network; a subscriber, of its prefix. */
const PREFIX_FLOOR = 1 / 4096
const SUBSCRIBER_FLOOR = 1 / 64
/** What the fresh ones get beside their own weights, as a part of their siblings'. */
const POOL_FLOOR = 0.05

function insertInto<T>(leaf: Node<T>, place: Place<T>): void {
  let worse = leaf.best
  let better: Place<T> | undefined
  while (worse && worse.effort > place.effort) {
    better = worse
    worse = worse.worse
  }
  place.better = better
  place.worse = worse
  if (better) better.worse = place
  else leaf.best = place
  if (worse) worse.better = place
  else leaf.worst = place
}

function removeFrom<T>(leaf: Node<T>, place: Place<T>): void {
  if (place.better) place.better.worse = place.worse
  else leaf.best = place.worse
  if (place.worse) place.worse.better = place.better
  else leaf.worst = place.better
  place.better = place.worse = undefined
}

function stopWaiting<T>(children: Children<T>, node: Node<T>): void {
  if (node.startIndex >= 0) children.byStart.removeAt(node.startIndex)
  children.byTail.removeAt(node.tailIndex)
  node.backlog = 0
}

function isMarked<T>(node: Node<T>): boolean {
  return node.lane?.marked === true
}

function poolOf<T>(children: Children<T>, node: Node<T>): Pool<T> {
  // Marks tell networks apart; below a network all are marked or none.
  if (node.level === ASN && isMarked(node))
    return (children.markedPool ??= new Pool<T>(POOL_FLOOR * MARKED_WEIGHT))
  return (children.pool ??= new Pool<T>(POOL_FLOOR))
}

function addFresh<T>(children: Children<T>, node: Node<T>, bucket: number): void {
  const pool = poolOf(children, node)
  linkFresh(pool, node, bucket)
  if (pool.size++ > 0) return
  pool.start = Math.max(children.virtual, pool.start)
  children.byStart.push(pool.node, pool.start)
}

function removeFresh<T>(children: Children<T>, node: Node<T>): void {
  const pool = poolOf(children, node)
  unlinkFresh(pool, node)
  const index = pool.node.startIndex
  if (--pool.size === 0) children.byStart.removeAt(index)
  else children.byStart.update(index, pool.start)
}

function linkFresh<T>(pool: Pool<T>, node: Node<T>, bucket: number): void {
  node.fresh = bucket
  node.freshOlder = pool.newest[bucket]
  if (node.freshOlder) node.freshOlder.freshNewer = node
  else pool.oldest[bucket] = node
  pool.newest[bucket] = node
  pool.bits |= 1 << bucket
}

function unlinkFresh<T>(pool: Pool<T>, node: Node<T>): void {
  const bucket = node.fresh
  if (node.freshOlder) node.freshOlder.freshNewer = node.freshNewer
  else pool.oldest[bucket] = node.freshNewer
  if (node.freshNewer) node.freshNewer.freshOlder = node.freshOlder
  else pool.newest[bucket] = node.freshOlder
  if (pool.oldest[bucket] === undefined) pool.bits &= ~(1 << bucket)
  node.freshOlder = node.freshNewer = undefined
  node.fresh = -1
}

function nextChild<T>(children: Children<T>): Node<T> {
  const first = children.byStart.peek()!
  const { pool } = first
  return pool === undefined ? first : pool.newest[31 - Math.clz32(pool.bits)]!
}

function lastChild<T>(children: Children<T>): Node<T> {
  const last = children.byTail.peek()!
  // Several waiting below one fresh child: it is over its share by itself.
  if (last.fresh < 0 || last.waiting > 1) return last
  const { markedPool } = children
  const pool = markedPool !== undefined && markedPool.size > 0 ? markedPool : children.pool!
  // Among equals the one with the least effort, then the oldest.
  return pool.oldest[31 - Math.clz32(pool.bits & -pool.bits)]!
}
