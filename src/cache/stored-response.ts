/** The noun of this room: a response kept for later requests (RFC 9111 §1.1). */
import type { FieldLines } from '#http'

/**
 * A stored response. Immutable: an update makes another one. Plain data, so that it passes between
 * threads as it is; `body` and the encodings lie in shared memory there and are never written again.
 */
export interface StoredResponse {
  /** Primary key (RFC 9111 §2): what `cacheKey` made of the request. */
  readonly key: string
  /** Secondary key (§4.1): what `variantOf` made of the request's fields that Vary nominates; '' for none. */
  readonly variant: string
  /** Names that Vary nominates: lower case, sorted, each once. */
  readonly vary: readonly string[]
  /** A final status: 200 to 599, never 304. 206 is one part, and `variant` then ends with what it was asked for with. */
  readonly status: number
  /** End-to-end field lines of the origin, without those that may not be stored (§3.1). */
  readonly fields: FieldLines
  readonly body: Uint8Array
  /** The same text compressed by Digue, where `fields` have no Content-Encoding and allow it. */
  readonly encodings?: { readonly br?: Uint8Array; readonly gzip?: Uint8Array }
  /** Wall clock in ms when the request was sent, and when the head of the answer came (§4.2.3). */
  readonly requestedAtMs: number
  readonly receivedAtMs: number
  /** `reuse`: as RFC 9111 allows. `emergency`: only in place of an answer that the origin cannot give. */
  readonly purpose: 'reuse' | 'emergency'
}

/** Bytes that a stored response takes, for what bounds stores; an estimate of the parts that are not its body. */
export function storedBytes(stored: StoredResponse): number {
  let bytes = 512 + 2 * (stored.key.length + stored.variant.length) + stored.body.byteLength
  for (const part of stored.fields) bytes += 16 + part.length
  bytes += (stored.encodings?.br?.byteLength ?? 0) + (stored.encodings?.gzip?.byteLength ?? 0)
  return bytes
}
