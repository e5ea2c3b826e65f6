/**
 * How many distinct clients there were, and a fair sample of them.
 *
 * The k smallest of the clients' hashes (Bar-Yossef et al. 2002; Beyer et al. 2007): (k − 1) divided by the k-th
 * smallest, as a share of all hashes, estimates how many distinct there are, with a standard error of
 * 1 / √(k − 2), 2.2 % for 2,048; fewer than k are counted exactly. And those k are a random sample of the
 * distinct clients whatever each of them asks for, whose requests are counted from their first on: whoever
 * stays among the smallest has been there all the time. A HyperLogLog would count in less memory and know
 * nobody.
 */
import type { LogClient } from './log-words.ts'

const SIZE = 2048

/** One sampled client. */
export interface SampledClient {
  readonly client: LogClient
  readonly wasKnown: boolean
  readonly firstAtMs: number
  lastAtMs: number
  requests: number
  /** Parts of pages: images, styles, scripts. */
  assets: number
  withReferrer: number
  /** Of another host. */
  fromElsewhere: number
  withQuery: number
  failed: number
  /** The first target, and whether others followed. */
  readonly firstTarget: string
  hasOthers: boolean
  /** What it showed first. */
  readonly agent: string
}

export class ClientSample {
  readonly #clients = new Map<LogClient, SampledClient>()
  /** Only hashes below may come in. */
  #limit = 2 ** 32
  #isFull = false

  /** Whether a client is one of the sample, or should come in. */
  wants(client: LogClient): boolean {
    return client.hash < this.#limit
  }

  get(client: LogClient): SampledClient | undefined {
    return this.#clients.get(client)
  }

  /** Takes in a client that the sample wants and does not have. */
  add(sampled: SampledClient): void {
    this.#clients.set(sampled.client, sampled)
    // Twice as many may gather before the larger half goes, so that a newcomer costs no search.
    if (this.#clients.size >= 2 * SIZE) this.#cut()
  }

  get distinct(): number {
    if (!this.#isFull) return this.#clients.size
    this.#cut()
    const greatest = this.#limit / 2 ** 32
    return Math.round((SIZE - 1) / greatest)
  }

  /** Relative standard error of `distinct`; 0 when it is exact. */
  get error(): number {
    return this.#isFull ? 1 / Math.sqrt(SIZE - 2) : 0
  }

  get clients(): SampledClient[] {
    return [...this.#clients.values()]
  }

  #cut(): void {
    if (this.#clients.size <= SIZE) return
    const sorted = [...this.#clients].sort((a, b) => a[0].hash - b[0].hash).slice(0, SIZE)
    this.#limit = sorted.at(-1)![0].hash + 1
    this.#isFull = true
    this.#clients.clear()
    for (const [client, sampled] of sorted) this.#clients.set(client, sampled)
  }
}
