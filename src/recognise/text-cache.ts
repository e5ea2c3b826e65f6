/**
 * What was found out about a text, kept for the next request that brings the same.
 *
 * Visitors repeat themselves: a few hundred user agents and languages make nearly all requests. A flood need not:
 * with a text per request a map would be filled and emptied at every request, which costs more than finding out
 * anew. So the place of an entry is fixed by its text (length and nine characters, which is all that is read
 * of it before the comparison), and a newcomer takes the place: a miss costs one copy and one write,
 * whatever the flood. Who makes texts that meet in one place costs himself and them one calculation each.
 */
const PLACES = 512

/** Longer texts are found out anew each time, so that what is held is bounded: 512 texts of 512 characters. */
const LONGEST = 512

export class TextCache<V> {
  readonly #texts: (string | undefined)[] = new Array(PLACES).fill(undefined)
  readonly #values: (V | undefined)[] = new Array(PLACES).fill(undefined)
  readonly #find: (text: string) => V

  /** `find` must depend on its argument only. */
  constructor(find: (text: string) => V) {
    this.#find = find
  }

  get(text: string): V {
    const length = text.length
    if (length > LONGEST) return this.#find(text)
    const place = placeOf(text, length)
    if (this.#texts[place] === text) return this.#values[place] as V
    // A slice of a head would keep the whole head.
    const own = Buffer.from(text, 'latin1').toString('latin1')
    const value = this.#find(own)
    this.#texts[place] = own
    this.#values[place] = value
    return value
  }
}

function placeOf(text: string, length: number): number {
  let mixed = length
  // Agents differ in their platform (from 13), in the middle, and in the version near the end.
  const step = Math.max(1, length >> 3)
  for (let at = length - 1; at >= 0; at -= step) mixed = Math.imul(mixed, 31) + text.charCodeAt(at)
  return (mixed ^ (mixed >>> 11)) & (PLACES - 1)
}
