/**
 * Who was here in calm weather: a Bloom filter of clients (Bloom 1970), so that a visitor of yesterday is told from
 * an address that was never seen, however long the log is.
 *
 * Two of 2^22 bits each, of which the fuller one is only asked and the other also filled: when that is a third
 * full, the older goes. Of strangers, one in thirty at worst is taken for a visitor: that is when 470,000 visitors
 * are in it; with 100,000 it is one in three thousand.
 */
import type { LogClient } from './log-words.ts'

const BITS = 2 ** 22
const FULL = BITS / 3
const HASHES = 3

export class CalmClients {
  #young = new Uint32Array(BITS / 32)
  #old = new Uint32Array(BITS / 32)
  #set = 0

  remember(client: LogClient): void {
    if (client.rememberedIn === this.#young) return
    this.#add(client.hash)
    client.rememberedIn = this.#young
  }

  #add(hash: number): void {
    for (let i = 0; i < HASHES; i++) {
      const bit = place(hash, i)
      const word = this.#young[bit >>> 5]!
      if ((word >>> (bit & 31)) & 1) continue
      this.#young[bit >>> 5] = word | (1 << (bit & 31))
      this.#set++
    }
    if (this.#set < FULL) return
    this.#old = this.#young
    this.#young = new Uint32Array(BITS / 32)
    this.#set = 0
  }

  has({ hash }: LogClient): boolean {
    return isIn(this.#young, hash) || isIn(this.#old, hash)
  }
}

function isIn(bits: Uint32Array, hash: number): boolean {
  for (let i = 0; i < HASHES; i++) {
    const bit = place(hash, i)
    if (((bits[bit >>> 5]! >>> (bit & 31)) & 1) === 0) return false
  }
  return true
}

function place(hash: number, i: number): number {
  // The step comes from the upper bits of a product, which depend on all bits: the place itself uses the lower.
  return (hash + Math.imul(i, (Math.imul(hash, 0x9e3779b1) >>> 9) | 1)) & (BITS - 1)
}
