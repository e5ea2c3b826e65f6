/**
 * What a server's pages and answers say to the script in them: the one place of the bench that reads the
 * challenge protocol. The static-difficulty baseline speaks the same words (`peers/static-challenge.ts`).
 */
import { gunzipSync } from 'node:zlib'

/** What a page asks for. */
export interface Offer {
  readonly challenge: string
  readonly bits: number
  /** Parts asked for. */
  readonly price: number
  /** Whose puzzle is meant, which says how long it would take: Digue's, or the static baseline's. */
  readonly isStatic: boolean
}

/** What becomes of a proof. */
export type ProofAnswer =
  | { readonly kind: 'paid' }
  /** More parts are wanted now. */
  | { readonly kind: 'price'; readonly price: number }
  | { readonly kind: 'fault'; readonly fault: string }
  | { readonly kind: 'busy'; readonly afterMs: number }
  /** Nothing that the protocol knows. */
  | { readonly kind: 'other' }

/** Bodies come as latin1 text; a packed one is unpacked. '' when that fails. */
export function bodyText(head: string, body: string): string {
  if (!/\r\ncontent-encoding: *gzip/i.test(head)) return body
  try {
    return gunzipSync(Buffer.from(body, 'latin1')).toString('latin1')
  } catch {
    return ''
  }
}

function attribute(html: string, name: string): string | undefined {
  const found = new RegExp(`\\sdata-${name}=(?:"([^"]*)"|([^\\s">]+))`).exec(html)
  return found?.[1] ?? found?.[2]
}

/** The offer of a page, or undefined when its script has nothing to solve. */
export function readOffer(html: string): Offer | undefined {
  const challenge = attribute(html, 'challenge')
  if (!challenge) return undefined
  const isStatic = attribute(html, 'kind') === 'static'
  return offer(challenge, Number(attribute(html, 'bits')), Number(attribute(html, 'price')), isStatic)
}

/** The answer to a request for a new challenge, or the part of a problem+json that says the same. */
export function readChallenge(status: number, body: string): Offer | undefined {
  if (status !== 200) return undefined
  const said = json(body)
  return typeof said?.['challenge'] === 'string'
    ? offer(said['challenge'], Number(said['bits']), Number(said['price']))
    : undefined
}

export function readProofAnswer(status: number, body: string): ProofAnswer {
  const said = json(body) ?? {}
  switch (said['status']) {
    case 'paid':
      return { kind: 'paid' }
    case 'price':
      return Number(said['price']) > 0 ? { kind: 'price', price: Number(said['price']) } : { kind: 'other' }
    case 'fault':
      return { kind: 'fault', fault: String(said['fault']) }
    case 'busy':
      return { kind: 'busy', afterMs: 1000 * Math.max(0.1, Number(said['retryAfterS']) || 1) }
    default:
      return status === 503 ? { kind: 'busy', afterMs: 1000 } : { kind: 'other' }
  }
}

function offer(challenge: string, bits: number, price: number, isStatic = false): Offer | undefined {
  return bits > 0 && price > 0 && price <= 4096 ? { challenge, bits, price, isStatic } : undefined
}

function json(body: string): Record<string, unknown> | undefined {
  try {
    const said: unknown = JSON.parse(body)
    return said && typeof said === 'object' ? (said as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
