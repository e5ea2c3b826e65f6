/**
 * Request collapsing across threads: who asks the origin for a page, and who waits for that answer.
 *
 * Problem: a thousand visitors miss one page at once, spread over several threads. Within a thread a
 * list of followers will do; between threads it takes memory that all see. A *flight* is a request to the
 * origin that others may wait for.
 *
 *   header   four words: the secret of the hash
 *   slot     one word of 64 bits; 0 when free
 *            bits 63…28  36 bits of the key's hash
 *                 27…22  the thread that leads, plus 1
 *                 21     somebody on another thread waits
 *                 20…0   when patience ends, in eighths of a second, modulo three days
 *
 * The rest of the hash chooses the slot, and each key has only that one: so one compare-and-exchange
 * of one word decides who leads, there is no moment in which a slot is half written, and a thread may die
 * anywhere. If another key flies in the slot, the answer is `alone`: fetch without being waited
 * for. With 16,384 slots and a hundred flights that happens to 0.6 % of keys, and costs one more request
 * to the origin per thread.
 *
 * A flight whose patience has ended is taken over by whoever asks next; its waiters are handed on with
 * it. One that ends further ahead than twice the asker's patience is one of a clock since set back, or of three days
 * ago, and is over as well.
 *
 * Rejected: several slots per key (two threads may enter one key at once, and need a second round to find
 * out; see the challenge's meter, where refusing costs more than here); words of 32 bits with a "being
 * written" (a thread that dies there leaves the slot for good). A 64-bit word is a heap object, but this runs once per
 * miss, which costs a thousand times as much.
 */
import { assert, type HashKey, hash32, randomHashKey } from '#kit'

const HEADER_WORDS = 4
const HEADER_BYTES = HEADER_WORDS * 4
const SLOTS = 16_384
/** What six bits hold beside the 0 of a free slot. */
const MOST_THREADS = 63
const DEADLINE_MASK = 2 ** 21 - 1
const TICK_MS = 125
const AWAITED = 1n << 21n
const THREAD_SHIFT = 22n
const THREAD_MASK = 63n
const TAG_SHIFT = 28n

export class Flights {
  readonly #slots: BigUint64Array
  readonly #thread: bigint
  readonly #keys: readonly [HashKey, HashKey]
  /** What this thread wrote into the slots where it leads, without `AWAITED`. At most one per slot. */
  readonly #own = new Map<number, bigint>()
  #alone = 0
  /** Place and tag of the key in question: set by `#find`, used within the same call. */
  #slot = 0
  #tag = 0n

  /** For all threads; `slots` is rounded up to a power of two. */
  static memory(slots = SLOTS): SharedArrayBuffer {
    const count = 2 ** Math.ceil(Math.log2(Math.max(1, slots)))
    const memory = new SharedArrayBuffer(HEADER_BYTES + count * 8)
    const one = randomHashKey()
    const other = randomHashKey()
    new Int32Array(memory, 0, HEADER_WORDS).set([one.k0, one.k1, other.k0, other.k1])
    return memory
  }

  /** `thread`: 0 to 62. */
  constructor(memory: SharedArrayBuffer, thread: number) {
    assert(thread >= 0 && thread < MOST_THREADS, 'flights are for 63 threads')
    const secret = new Int32Array(memory, 0, HEADER_WORDS)
    this.#keys = [
      { k0: secret[0]!, k1: secret[1]! },
      { k0: secret[2]!, k1: secret[3]! },
    ]
    this.#slots = new BigUint64Array(memory, HEADER_BYTES)
    this.#thread = BigInt(thread + 1)
  }

  /** How often another key flew in a key's slot, in this thread. */
  get alone(): number {
    return this.#alone
  }

  /**
   * `leads`: ask the origin, then `end`. `flies`: another thread asks it; `wait`. `alone`: ask the
   * origin, nobody will wait for it; also where this thread leads already. Patience: at most an hour.
   */
  begin(key: string, nowMs: number, patienceMs: number): 'leads' | 'flies' | 'alone' {
    this.#find(key)
    const slots = this.#slots
    const patience = Math.ceil(patienceMs / TICK_MS)
    const deadline = (Math.floor(nowMs / TICK_MS) + patience) & DEADLINE_MASK
    const mine = (this.#tag << TAG_SHIFT) | (this.#thread << THREAD_SHIFT) | BigInt(deadline)
    for (;;) {
      const there = Atomics.load(slots, this.#slot)
      let taken = mine
      if (there !== 0n) {
        const left = (Number(there & BigInt(DEADLINE_MASK)) - deadline + patience) & DEADLINE_MASK
        const isOver = left === 0 || left > 2 * patience
        const isSame = there >> TAG_SHIFT === this.#tag
        if (!isOver) {
          const isOwn = ((there >> THREAD_SHIFT) & THREAD_MASK) === this.#thread
          // Its own that it knows nothing of is one of a thread that died in its place.
          if (!isSame || (isOwn && this.#own.has(this.#slot))) {
            this.#alone++
            return 'alone'
          }
          if (!isOwn) return 'flies'
        }
        if (isSame) taken |= there & AWAITED
      }
      if (Atomics.compareExchange(slots, this.#slot, there, taken) !== there) continue
      this.#own.set(this.#slot, mine)
      return 'leads'
    }
  }

  /** The flight that this thread leads is over. True: another thread waits, announce it. */
  end(key: string): boolean {
    this.#find(key)
    const mine = this.#own.get(this.#slot)
    if (mine === undefined || mine >> TAG_SHIFT !== this.#tag) return false
    this.#own.delete(this.#slot)
    if (Atomics.compareExchange(this.#slots, this.#slot, mine, 0n) === mine) return false
    // Awaited, or taken over after its patience: then those who wait are somebody else's.
    return Atomics.compareExchange(this.#slots, this.#slot, mine | AWAITED, 0n) === (mine | AWAITED)
  }

  /** This thread waits for a flight that another one leads. False: it has landed meanwhile, look again. */
  wait(key: string): boolean {
    this.#find(key)
    for (;;) {
      const there = Atomics.load(this.#slots, this.#slot)
      if (there === 0n || there >> TAG_SHIFT !== this.#tag) return false
      if ((there & AWAITED) !== 0n) return true
      if (Atomics.compareExchange(this.#slots, this.#slot, there, there | AWAITED) === there) return true
    }
  }

  /** A thread died: its flights are over. Returns how many others waited for; a walk through the table. */
  static release(memory: SharedArrayBuffer, thread: number): number {
    const slots = new BigUint64Array(memory, HEADER_BYTES)
    let awaited = 0
    for (let slot = 0; slot < slots.length; slot++) {
      const there = Atomics.load(slots, slot)
      if (((there >> THREAD_SHIFT) & THREAD_MASK) !== BigInt(thread + 1)) continue
      // Changed meanwhile: taken over, or somebody began to wait and will lose patience.
      if (Atomics.compareExchange(slots, slot, there, 0n) === there && (there & AWAITED) !== 0n) awaited++
    }
    return awaited
  }

  #find(key: string): void {
    const one = hash32(key, this.#keys[0])
    const other = hash32(key, this.#keys[1])
    this.#slot = one & (this.#slots.length - 1)
    this.#tag = (BigInt(other) << 4n) | BigInt(one >>> 28)
  }
}
