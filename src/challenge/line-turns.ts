/**
 * Whose turn it is: the main thread's half of the waiting line (line.ts has the other, and the essay).
 *
 * Every tick it reads who joined, and calls as many places as the reserved rate allows. Which line is
 * called next is weighted fair queueing (Demers, Keshav, Shenker 1989), a request being one unit:
 *
 *   a line gets somebody waiting    S = max(V, F)
 *   next                            the line with the smallest S + c / w,  c what its last place cost
 *   called                          V = max(V, S) + 1 / W      F = S + 1 / w      S = F if more wait
 *   a further request in one turn   F = F + 1 / w
 *
 * W is the weight of all lines with somebody waiting. So lines are called in proportion to their weights,
 * and what one does not use goes to the others. It is the finish tag that decides, not the start tag as
 * in admission's queue: a visitor of a network known from calm weather (large w) comes before any row of
 * lines never seen (small w), which is what a flood's first tickets are. For the same reason V moves by
 * 1 / W and does not, as in self-clocked fair queueing (Golestani 1994), jump to the tag that is served:
 * ten thousand lines that came within one second would all stand before V, and every visitor behind all
 * of them (two of thirteen were let in within two minutes; with 1 / W all of seventeen). F is kept while a
 * line is empty, so coming and going gains nothing. c keeps lines whose people use a turn twice from marching in step with,
 * and as one block before, those who use it once.
 *
 * Within a line, time: `calledUpTo` moves through the line's buckets, in even steps through each.
 * A bucket is called when it is over, so everybody waits for a second or two.
 *
 * What a call costs. Somebody called who does not come has cost nothing; who comes may ask twice. How
 * many requests come of a call is measured over half a minute, and the rate of calls is the rate of
 * requests divided by it: no-shows are skipped, up to eight for each who comes. A lane that is full shows
 * only what fitted into it, so then the most is assumed. (Adapting the rate until the lane was no longer
 * full swung between 0.02 and 113 calls a second: those called come seconds later.)
 */
import { assert, Heap } from '#kit'
import {
  ACTIVE_WEIGHT,
  BUCKETS,
  CALLED_RATE,
  CLOCK,
  CLOCK_SET,
  CLOCK_START_S,
  EVICTED,
  type LineMemory,
  LineViews,
  LOG_HEAD,
  LOG_JOINED,
  LOG_LEAVES,
  LOG_LINE,
  LOG_PRESENT,
  LOG_TAIL,
  LOG_USES,
  LOG_WEIGHT,
  LOG_WORDS,
  LOST,
  MOST_REQUESTS,
  ORIGIN,
  SHOWN,
  TICKS_PER_S,
  WAITING,
} from './line-memory.ts'

export interface LineState {
  /** Places in all lines. */
  readonly waiting: number
  /** Lines with somebody waiting. */
  readonly lines: number
  readonly calledPerSecond: number
  /** Requests let in per place called, lately. */
  readonly requestsPerCall: number
  /** Since the start. */
  readonly called: number
  readonly requests: number
  /** Places that found no room in the log; they are told again at the next poll. */
  readonly lost: number
  /** Subscribers forgotten for want of room; they are counted twice when they come back. */
  readonly evicted: number
}

/** A clock that differs from what was expected by this much was set. */
const CLOCK_SET_S = 2
/** After a pause of the main thread at most this much is made up for. */
const MOST_MADE_UP_S = 2
const SLOT_S = 8
const SLOTS = 8
/** Who was called comes at the next poll: on average two slots later. */
const LAG_SLOTS = 2
const MEASURED_SLOTS = 4
/** As if so many had come of so many called, so that a few no-shows say nothing. */
const PRIOR = 16
const LEAST_PER_CALL = 1 / 8
/** Of the rate: a lane that is full to the brim sheds some of those whose turn has come. */
const AIM = 0.9
/** A lane that takes more than this of its rate is full: what came is what fitted, not what would have come. */
const FULL = 0.95
const MOST_COST = 255
const LEAST_WEIGHT = 1e-6
const MOST_WEIGHT = 1e3
const MOST_IN_BUCKET = 0xffff

export class LineTurns {
  readonly #memory: LineMemory
  readonly #views: LineViews
  readonly #waiting: Uint32Array
  /** F of the last place called, by line; S while somebody waits. */
  readonly #finish: Float64Array
  /** Requests let in since the last call and, before that, since the one before it. */
  readonly #uses: Uint8Array
  readonly #cost: Uint8Array
  readonly #heapAt: Int32Array
  readonly #next: Heap<number>
  readonly #merged = new Uint16Array(BUCKETS)
  #virtual = 0
  #activeWeight = 0
  #total = 0
  #credit = 0
  #startMs = Number.NaN
  #tickedAtMs = 0
  readonly #calledBySlot = new Uint32Array(SLOTS)
  readonly #shownBySlot = new Uint32Array(SLOTS)
  #slot = 0
  #shownSeen = 0
  #perCall = 1
  #called = 0

  constructor(memory: LineMemory) {
    this.#memory = memory
    this.#views = new LineViews(memory)
    this.#waiting = new Uint32Array(memory.lines)
    this.#finish = new Float64Array(memory.lines)
    this.#uses = new Uint8Array(memory.lines)
    this.#cost = new Uint8Array(memory.lines)
    this.#heapAt = new Int32Array(memory.lines).fill(-1)
    this.#next = new Heap<number>((line, index) => {
      this.#heapAt[line] = index
    })
  }

  /**
   * Reads who joined and calls whose turn it is; several times a second.
   * `ratePerSecond`: how many requests of the waiting room the origin can take.
   */
  tick(nowMs: number, nowS: number, ratePerSecond: number): void {
    if (Number.isNaN(this.#startMs)) this.#startMs = this.#tickedAtMs = nowMs
    const sinceS = Math.max(0, Math.min(MOST_MADE_UP_S, (nowMs - this.#tickedAtMs) / 1000))
    this.#tickedAtMs = nowMs
    this.#setClock(nowMs, nowS)
    this.#readLog()
    this.#measure(ratePerSecond)
    const rate =
      Number.isFinite(ratePerSecond) && ratePerSecond > 0 ? (AIM * ratePerSecond) / this.#perCall : 0
    const most = rate === 0 ? 0 : Math.max(1, rate * MOST_MADE_UP_S)
    this.#credit = Math.min(most, this.#credit + rate * sinceS)
    this.#call()
    // What is left of many sums and differences.
    if (this.#next.size === 0) this.#activeWeight = 0
    this.#views.floats[CALLED_RATE] = rate
    this.#views.floats[ACTIVE_WEIGHT] = this.#activeWeight
    Atomics.store(this.#views.words, WAITING, this.#total)
  }

  state(): LineState {
    const { words, floats } = this.#views
    return {
      waiting: this.#total,
      lines: this.#next.size,
      calledPerSecond: floats[CALLED_RATE]!,
      requestsPerCall: this.#perCall,
      called: this.#called,
      requests: Atomics.load(words, SHOWN),
      lost: Atomics.load(words, LOST),
      evicted: Atomics.load(words, EVICTED),
    }
  }

  /** The line's clock is the monotonic one; only what is written on tickets follows the wall clock. */
  #setClock(nowMs: number, nowS: number): void {
    const { words } = this.#views
    const clock = Math.max(words[CLOCK]!, CLOCK_START_S + Math.floor((nowMs - this.#startMs) / 1000))
    const origin = nowS - clock
    if (Math.abs(origin - words[ORIGIN]!) >= CLOCK_SET_S) {
      if (words[ORIGIN] !== 0) Atomics.store(words, CLOCK_SET, clock)
      Atomics.store(words, ORIGIN, origin)
    }
    Atomics.store(words, CLOCK, clock)
  }

  #readLog(): void {
    const { words, log, logFloats } = this.#views
    const { log: size, lines } = this.#memory
    const head = Atomics.load(words, LOG_HEAD)
    let tail = words[LOG_TAIL]!
    if (((head - tail) | 0) > size) tail = (head - size) | 0
    for (; tail !== head; tail = (tail + 1) | 0) {
      const at = (tail & (size - 1)) * LOG_WORDS
      const entry = Atomics.exchange(log, at + LOG_LINE, 0)
      // Zero: its writer is between reserving and writing, and is read a lap later. Racy by design.
      if (entry === 0) continue
      const line = entry & (lines - 1)
      const joined = Math.min(log[at + LOG_JOINED]!, words[CLOCK]!)
      if ((entry & LOG_LEAVES) !== 0) this.#leave(line, joined)
      else if ((entry & LOG_USES) !== 0) this.#use(line)
      else if ((entry & LOG_PRESENT) !== 0) this.#join(line, joined, logFloats[at + LOG_WEIGHT]!)
    }
    Atomics.store(words, LOG_TAIL, tail)
  }

  #join(line: number, joined: number, weight: number): void {
    const { oldest, buckets } = this.#views
    // Called in the meantime.
    if (this.#views.isCalled(line, joined)) return
    const w = Math.fround(Math.max(LEAST_WEIGHT, Math.min(MOST_WEIGHT, weight || 0)))
    if (this.#waiting[line] === 0) this.#open(line, joined, w)
    else if (w > this.#views.weight[line]!) this.#weigh(line, w)
    // From before what this line can tell apart: the oldest bucket.
    const at = Math.max(joined * TICKS_PER_S, oldest[line]!)
    while (this.#bucket(line, at) - this.#bucket(line, oldest[line]!) >= BUCKETS) this.#widen(line)
    const cell = line * BUCKETS + (this.#bucket(line, at) & (BUCKETS - 1))
    if (buckets[cell] === MOST_IN_BUCKET) return
    buckets[cell]!++
    this.#waiting[line]!++
    this.#total++
  }

  /** Somebody gave up a place to begin anew. */
  #leave(line: number, joined: number): void {
    const { oldest, buckets, words } = this.#views
    if (this.#waiting[line] === 0 || this.#views.isCalled(line, joined)) return
    const at = Math.max(joined * TICKS_PER_S, oldest[line]!)
    const bucket = this.#bucket(line, at)
    const cell = line * BUCKETS + (bucket & (BUCKETS - 1))
    if (bucket - this.#bucket(line, oldest[line]!) >= BUCKETS || buckets[cell] === 0) return
    buckets[cell]!--
    this.#taken(line)
    if (this.#waiting[line]! > 0) return
    this.#next.removeAt(this.#heapAt[line]!)
    // Nobody that was counted is left before here; who was not counted must not wait for ever.
    this.#callUpTo(line, Math.min((bucket + 1) * this.#views.widthOf(line), words[CLOCK]! * TICKS_PER_S))
  }

  /** A request beyond a place's first was let in: it moves its line back as a place would. */
  #use(line: number): void {
    this.#finish[line]! += 1 / Math.max(LEAST_WEIGHT, this.#views.weight[line]!)
    if (this.#uses[line]! < MOST_COST) this.#uses[line]!++
    if (this.#heapAt[line]! >= 0) this.#next.update(this.#heapAt[line]!, this.#key(line))
  }

  /** When a line is next: its start, and what its last place cost. */
  #key(line: number): number {
    return this.#finish[line]! + Math.max(1, this.#cost[line]!, this.#uses[line]!) / this.#views.weight[line]!
  }

  #open(line: number, joined: number, weight: number): void {
    const { oldest, width, weight: weights } = this.#views
    width[line] = 0
    oldest[line] = joined * TICKS_PER_S
    weights[line] = weight
    this.#activeWeight += weight
    this.#finish[line] = Math.max(this.#virtual, this.#finish[line]!)
    this.#next.push(line, this.#key(line))
  }

  /** A better known prefix joined a line that others with the same hash are in. */
  #weigh(line: number, weight: number): void {
    this.#activeWeight += weight - this.#views.weight[line]!
    this.#views.weight[line] = weight
    this.#next.update(this.#heapAt[line]!, this.#key(line))
  }

  #call(): void {
    const next = this.#next
    /** Lines whose people all joined just now. */
    const early: number[] = []
    const earlyKeys: number[] = []
    while (this.#credit >= 1) {
      const key = next.minKey
      const line = next.pop()
      if (line === undefined) break
      const activeWeight = this.#activeWeight
      const weight = this.#views.weight[line]!
      if (!this.#callOne(line)) {
        early.push(line)
        earlyKeys.push(key)
        continue
      }
      this.#credit--
      this.#virtual = Math.max(this.#virtual, this.#finish[line]!) + 1 / Math.max(activeWeight, weight)
      this.#finish[line]! += 1 / weight
      this.#cost[line] = this.#uses[line]!
      this.#uses[line] = 1
      if (this.#waiting[line]! > 0) next.push(line, this.#key(line))
    }
    for (let i = 0; i < early.length; i++) next.push(early[i]!, earlyKeys[i]!)
  }

  /** Moves a line on by one place; false when its oldest bucket is not over yet. */
  #callOne(line: number): boolean {
    const { oldest, buckets, words } = this.#views
    const width = this.#views.widthOf(line)
    let bucket = this.#bucket(line, oldest[line]!)
    let cell = line * BUCKETS + (bucket & (BUCKETS - 1))
    for (let skipped = 0; buckets[cell] === 0 && skipped < BUCKETS; skipped++) {
      bucket++
      cell = line * BUCKETS + (bucket & (BUCKETS - 1))
    }
    assert(buckets[cell]! > 0, 'callOne: a line with somebody waiting has nobody in its buckets')
    const now = words[CLOCK]! * TICKS_PER_S
    const from = Math.max(oldest[line]!, bucket * width)
    let end = (bucket + 1) * width
    // A bucket that was merged may last for minutes more: what is over of it.
    if (this.#views.width[line]! > 0) end = Math.min(end, now)
    if (end > now || end <= from) return false
    const to = from + Math.floor((end - from) / buckets[cell]!)
    buckets[cell]!--
    oldest[line] = to
    this.#callUpTo(line, to)
    this.#called++
    this.#calledBySlot[this.#slot % SLOTS]!++
    this.#taken(line)
    return true
  }

  #taken(line: number): void {
    this.#waiting[line]!--
    this.#total--
    if (this.#waiting[line] === 0) this.#activeWeight -= this.#views.weight[line]!
  }

  #callUpTo(line: number, to: number): void {
    const { calledUpTo } = this.#views
    if (to > calledUpTo[line]!) Atomics.store(calledUpTo, line, to)
  }

  #bucket(line: number, at: number): number {
    return Math.floor(at / this.#views.widthOf(line))
  }

  /** Merges a line's buckets in pairs. */
  #widen(line: number): void {
    const { buckets, width, oldest } = this.#views
    const base = line * BUCKETS
    const first = this.#bucket(line, oldest[line]!)
    const merged = this.#merged.fill(0)
    for (let bucket = first; bucket < first + BUCKETS; bucket++) {
      const to = (bucket >> 1) & (BUCKETS - 1)
      const sum = merged[to]! + buckets[base + (bucket & (BUCKETS - 1))]!
      merged[to] = Math.min(MOST_IN_BUCKET, sum)
      this.#waiting[line]! -= sum - merged[to]!
      this.#total -= sum - merged[to]!
    }
    buckets.set(merged, base)
    width[line]!++
  }

  /** How many requests come of a call. */
  #measure(ratePerSecond: number): void {
    const { words } = this.#views
    const shown = Atomics.load(words, SHOWN)
    this.#shownBySlot[this.#slot % SLOTS]! += (shown - this.#shownSeen) >>> 0
    this.#shownSeen = shown
    const slot = Math.floor(words[CLOCK]! / SLOT_S)
    if (slot === this.#slot) return
    for (let i = Math.max(this.#slot + 1, slot - SLOTS); i <= slot; i++)
      this.#calledBySlot[i % SLOTS] = this.#shownBySlot[i % SLOTS] = 0
    this.#slot = slot
    let came = 0
    let called = 0
    for (let i = slot - MEASURED_SLOTS; i < slot; i++) {
      came += this.#shownBySlot[i % SLOTS]!
      called += this.#calledBySlot[(i - LAG_SLOTS) % SLOTS]!
    }
    const isFull = this.#shownBySlot[(slot - 1) % SLOTS]! >= FULL * ratePerSecond * SLOT_S
    const perCall = isFull ? MOST_REQUESTS : (came + PRIOR) / (called + PRIOR)
    this.#perCall = Math.max(LEAST_PER_CALL, Math.min(MOST_REQUESTS, perCall))
  }
}
