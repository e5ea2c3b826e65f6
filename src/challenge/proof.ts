/** `challenge=…&seed=…&nonces=…`: a proof as it comes in the query of a target. */
import { MOST_PARTS } from './protocol.ts'
import { base64urlBytes, isBase64url } from './tokens.ts'

export const SEED_BYTES = 16
export const NONCE_BYTES = 4
/** A challenge, a seed and 256 nonces take 1,540; what is longer is none of ours. */
const MOST_QUERY = 2048

/** What a client says it solved; nothing of it is checked yet but its shape. */
export interface Proof {
  readonly challenge: string
  /** 16 bytes. */
  readonly seed: Buffer
  /** Four bytes per part, in the order of the parts. */
  readonly nonces: Buffer
}

/**
 * Undefined when the query is not a proof. Nothing is percent-decoded: what a proof is made of never needs
 * it, and a second spelling would be a second proof. Other parameters are ignored, a second one of
 * the same name is not.
 */
export function readProof(query: string): Proof | undefined {
  if (query.length > MOST_QUERY) return undefined
  let challenge: string | undefined
  let seed: string | undefined
  let nonces: string | undefined
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start)
    if (end === -1) end = query.length
    if (query.startsWith('challenge=', start)) {
      if (challenge !== undefined) return undefined
      challenge = query.slice(start + 10, end)
    } else if (query.startsWith('seed=', start)) {
      if (seed !== undefined) return undefined
      seed = query.slice(start + 5, end)
    } else if (query.startsWith('nonces=', start)) {
      if (nonces !== undefined) return undefined
      nonces = query.slice(start + 7, end)
    }
    start = end + 1
  }
  if (challenge === undefined || seed === undefined || nonces === undefined) return undefined
  const bytes = base64urlBytes(nonces)
  if (bytes < NONCE_BYTES || bytes % NONCE_BYTES !== 0 || bytes > MOST_PARTS * NONCE_BYTES) return undefined
  if (!isBase64url(seed, SEED_BYTES)) return undefined
  return { challenge, seed: Buffer.from(seed, 'base64url'), nonces: Buffer.from(nonces, 'base64url') }
}
