/**
 * Compressed forms of stored text: made once, so that no request waits for a compressor.
 *
 * Brotli at quality 5 and gzip at level 6. 311 files of 8 kB to 1 MB (JavaScript, HTML, Markdown, JSON; 22.6 MB),
 * CPU on a busy machine, so only roughly:
 *
 *   brotli 4  20.0 %  218 ms     brotli 5  18.6 %  320 ms     brotli 6  18.4 %  374 ms     gzip 6  20.2 %  342 ms
 *
 * Two at a time, beside the edges on the same cores; what finds the queue full stays as it is until it
 * is asked for again.
 */
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { StoredResponse } from '#cache'
import { fieldList, fieldValue, listHas } from '#http'
import { inSharedMemory } from './library-protocol.ts'

const LEAST_BYTES = 1024
const MOST_BYTES = 4 * 2 ** 20
const QUALITY = 5
const LEVEL = 6
/** Kept only when so much smaller. */
const GAIN = 0.9
const AT_ONCE = 2
const MOST_WAITING = 256

const TEXT = /^(text\/(?!event-stream)|application\/(json|javascript|x-javascript|ecmascript|xml)$)/
const TEXT_SUFFIX = /^[a-z]+\/[a-z0-9.+_-]+\+(json|xml|text)$/
/** They speak of the bytes as the origin sent them (RFC 9530, RFC 3230, RFC 1864). */
const DIGESTS = ['content-digest', 'repr-digest', 'digest', 'content-md5']

export type Encodings = NonNullable<StoredResponse['encodings']>

/** Text as the origin wrote it, which it allows to be changed on the way (RFC 9110 §7.7). */
export function isCompressible({ status, fields, body }: StoredResponse): boolean {
  // Ranges are of what the origin sent: a part has no form of its own.
  if (status === 206) return false
  if (body.byteLength < LEAST_BYTES || body.byteLength > MOST_BYTES) return false
  if (fieldValue(fields, 'content-encoding') !== undefined) return false
  if (listHas(fieldList(fields, 'cache-control') ?? '', 'no-transform')) return false
  if (DIGESTS.some((name) => fieldValue(fields, name) !== undefined)) return false
  const type = (fieldValue(fields, 'content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
  return TEXT.test(type) || TEXT_SUFFIX.test(type)
}

export class Compressor {
  readonly #done: (response: StoredResponse, encodings: Encodings) => void
  readonly #waiting: StoredResponse[] = []
  #running = 0
  #skipped = 0
  #made = 0

  /** `done` also when nothing was gained: with no encodings. */
  constructor(done: (response: StoredResponse, encodings: Encodings) => void) {
    this.#done = done
  }

  get made(): number {
    return this.#made
  }

  /** Offers that found the queue full. */
  get skipped(): number {
    return this.#skipped
  }

  /** False when too many wait. */
  offer(response: StoredResponse): boolean {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#skipped++
      return false
    }
    this.#waiting.push(response)
    this.#next()
    return true
  }

  #next(): void {
    while (this.#running < AT_ONCE) {
      const response = this.#waiting.shift()
      if (response === undefined) return
      this.#running++
      void compress(response.body).then((encodings) => {
        this.#running--
        this.#made++
        this.#done(response, encodings)
        this.#next()
      })
    }
  }
}

/** Those forms of `body` that are a tenth smaller. */
export async function compress(body: Uint8Array): Promise<Encodings> {
  const br = await smaller(body, () =>
    promisify(brotliCompress)(body, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: QUALITY,
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_SIZE_HINT]: body.byteLength,
      },
    }),
  )
  const gz = await smaller(body, () => promisify(gzip)(body, { level: LEVEL }))
  return { ...(br && { br }), ...(gz && { gzip: gz }) }
}

async function smaller(body: Uint8Array, make: () => Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    const made = await make()
    return made.byteLength <= body.byteLength * GAIN ? inSharedMemory(made) : undefined
  } catch {
    // Out of memory: the text is served as it is.
    return undefined
  }
}
