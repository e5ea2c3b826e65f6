/**
 * What was found out about a text, kept for the next request that brings the same.
 *
 * Visitors repeat themselves: a few hundred user agents and languages make nearly all requests. A flood need not:
 * with a text per request, a map would be filled and emptied at every request, which costs more than finding out
 * anew, and the visitors' entries would be gone. So a text has one place, by its hash; it is kept when it comes
 * there a second time before another did, and only then copied. A drawn text costs its hash and being found out.
 * Who makes texts that meet in one place costs himself and them a calculation each.
 */
const PLACES = 1024
/** Longer texts are found out anew each time, so that what is held is bounded: 1,024 texts of 512 characters. */
const LONGEST = 512
/** Of the hash: what comes before is read in steps. A version and a product are near an agent's end. */
const TAIL = 40
const STEP = 3

export class TextCache<V> {
  readonly #texts: (string | undefined)[] = new Array(PLACES).fill(undefined)
  readonly #values: (V | undefined)[] = new Array(PLACES).fill(undefined)
  /** Hash of the last text that came to the place and was not kept. */
  readonly #seen = new Int32Array(PLACES)
  readonly #find: (text: string) => V

  /** `find` must depend on its argument only. */
  constructor(find: (text: string) => V) {
    this.#find = find
  }

  get(text: string): V {
    const length = text.length
    if (length > LONGEST) return this.#find(text)
    let hash = length
    let at = 0
    for (; at < length - TAIL; at += STEP) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    for (at = Math.max(0, length - TAIL); at < length; at++)
      hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    const place = (hash ^ (hash >>> 15)) & (PLACES - 1)
    if (this.#texts[place] === text) return this.#values[place] as V
    const value = this.#find(text)
    if (this.#seen[place] === hash) {
      // A slice of a head would keep the whole head.
      this.#texts[place] = Buffer.from(text, 'latin1').toString('latin1')
      this.#values[place] = value
    } else this.#seen[place] = hash
    return value
  }
}
