/**
 * The memory that the waiting line's threads share: one SharedArrayBuffer per site.
 *
 *   header            the line's clock, totals, counters                            32-bit words
 *   per line          called up to (1/16 s) · oldest still waiting (1/16 s) · weight · width of its buckets
 *                     sixteen buckets: how many places joined in each                16 bits
 *   subscribers       hash · joined · shown · requests let in · asked                open addressing
 *   log               line, flags · joined (s) · weight                              edges to main thread
 *
 * One writer each: lines belong to the main thread; edges write subscribers (compare-and-swap on the
 * hash) and append to the log. Readers of a line may meet it half changed: an estimate is off once.
 *
 * A line's sixteen buckets are a ring over time. They begin 1 s wide; when a line gets longer than
 * sixteen of them hold, they are merged in pairs and are twice as wide. So one number per bucket tells
 * how many stand before a given second, to a sixteenth of the line, in 46 bytes per line.
 *
 * Memory is zero until it is touched: a site that was never flooded costs address space only.
 */
import { type HashKey, randomHashKey } from '#kit'

export const BUCKETS = 16
export const LEAST_WIDTH_S = 1
/** Times of lines are kept in sixteenths of a second. */
export const TICKS_PER_S = 16

/** Words of the header. */
export const CLOCK = 0
/** Wall clock less the line's clock, s. */
export const ORIGIN = 1
export const LOG_HEAD = 2
export const LOG_TAIL = 3
/** Requests let in. */
export const SHOWN = 4
export const LOST = 5
export const EVICTED = 6
export const WAITING = 7
/** Places called per second, and the weight of all lines with somebody waiting: float bits. */
export const CALLED_RATE = 8
export const ACTIVE_WEIGHT = 9
/** When the wall clock was last found set, on the line's clock. */
export const CLOCK_SET = 10
const HEADER_WORDS = 16

/** Words of a subscriber's entry. */
export const HASH = 0
export const JOINED = 1
export const SHOWN_AT = 2
/** Requests let in; the line stands in the upper half. */
export const REQUESTS = 3
export const ASKED_AT = 4
export const SUBSCRIBER_WORDS = 5

/** Words of a log entry. The first is written last and is never zero. */
export const LOG_LINE = 0
export const LOG_JOINED = 1
export const LOG_WEIGHT = 2
export const LOG_WORDS = 3
export const LOG_PRESENT = 1 << 30
export const LOG_LEAVES = 1 << 29
export const LOG_USES = 1 << 28

/**
 * The line's clock at start. Not 0: tickets of before the start, or of other machines, were joined
 * at times before it.
 */
export const CLOCK_START_S = 4 * 3600

/** What a turn is good for; what is used beyond the first request is charged to the line. */
export const MOST_REQUESTS = 2

/** What another thread needs to join; survives structured cloning. */
export interface LineMemory {
  readonly buffer: SharedArrayBuffer
  readonly lines: number
  readonly subscribers: number
  readonly log: number
  readonly key: HashKey
}

export interface LineSizes {
  readonly lines?: number
  readonly subscribers?: number
  readonly log?: number
  readonly key?: HashKey
}

const powerOfTwo = (n: number) => 2 ** Math.ceil(Math.log2(Math.max(1, n)))

/** Sizes are rounded up to powers of two. */
export function createLineMemory(sizes: LineSizes): LineMemory {
  const lines = powerOfTwo(Math.min(65_536, sizes.lines ?? 65_536))
  const subscribers = powerOfTwo(Math.max(16, sizes.subscribers ?? 65_536))
  const log = powerOfTwo(sizes.log ?? 8192)
  const words = HEADER_WORDS + 3 * lines + SUBSCRIBER_WORDS * subscribers + LOG_WORDS * log
  const buffer = new SharedArrayBuffer(words * 4 + lines * BUCKETS * 2 + lines)
  new Int32Array(buffer, 0, HEADER_WORDS)[CLOCK] = CLOCK_START_S
  return { buffer, lines, subscribers, log, key: sizes.key ?? randomHashKey() }
}

/** Views of the memory. */
export class LineViews {
  /** Header, then the other words: offsets are below. */
  readonly words: Int32Array
  readonly floats: Float32Array
  /** By line: everybody who joined before this was called, in 1/16 s of the line's clock. */
  readonly calledUpTo: Int32Array
  /** By line: before this nobody waits any more. */
  readonly oldest: Int32Array
  readonly weight: Float32Array
  readonly subscribers: Int32Array
  readonly log: Int32Array
  readonly logFloats: Float32Array
  readonly buckets: Uint16Array
  /** By line: its buckets are `LEAST_WIDTH_S << width` wide. */
  readonly width: Uint8Array

  constructor(memory: LineMemory) {
    const { buffer, lines } = memory
    this.words = new Int32Array(buffer, 0, HEADER_WORDS)
    this.floats = new Float32Array(buffer, 0, HEADER_WORDS)
    let at = HEADER_WORDS * 4
    const next = (bytes: number): number => {
      at += bytes
      return at - bytes
    }
    this.calledUpTo = new Int32Array(buffer, next(lines * 4), lines)
    this.oldest = new Int32Array(buffer, next(lines * 4), lines)
    this.weight = new Float32Array(buffer, next(lines * 4), lines)
    const subscriberWords = memory.subscribers * SUBSCRIBER_WORDS
    this.subscribers = new Int32Array(buffer, next(subscriberWords * 4), subscriberWords)
    const logWords = memory.log * LOG_WORDS
    this.log = new Int32Array(buffer, at, logWords)
    this.logFloats = new Float32Array(buffer, next(logWords * 4), logWords)
    this.buckets = new Uint16Array(buffer, next(lines * BUCKETS * 2), lines * BUCKETS)
    this.width = new Uint8Array(buffer, next(lines), lines)
  }

  /** Everybody of this second has been called. */
  isCalled(line: number, joined: number): boolean {
    return Atomics.load(this.calledUpTo, line) >= (joined + 1) * TICKS_PER_S
  }

  /** Width of a line's buckets in 1/16 s. */
  widthOf(line: number): number {
    return (LEAST_WIDTH_S * TICKS_PER_S) << this.width[line]!
  }
}
