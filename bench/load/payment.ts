/**
 * One visitor who pays: the page's script as the server sees it (`src/challenge/pages/script/page-script.ts`).
 *
 *   work for the price, send the proof
 *     paid          every page that waits is asked for again
 *     price         work on under the same seed; all parts are sent again at each quarter of the new price
 *     fault         a new challenge, and all over again; after three tries the waiting room is what is left
 *     busy          wait as told, send again
 *     anything else wait a little longer each time; after five times the waiting room
 *
 * A visitor has one device: whatever of his pages is asked for effort meanwhile waits for the same payment.
 */
import { effortMs, STATIC_PART } from './effort.ts'
import { type Offer, readChallenge, readProofAnswer } from './offer.ts'
import { CHALLENGE_TARGET, MOST_PARTS, Proof } from './puzzle.ts'
import type { Random } from './random.ts'

export const MOST_TRIES = 3
const MOST_LOST = 5

export type Fetched = { readonly status: number; readonly head: string; readonly body: string }

export interface PaymentOptions {
  readonly random: Random
  readonly msPerPart: number
  /** A request of the page's script; undefined when the connection was lost. */
  readonly fetch: (target: string) => Promise<Fetched | undefined>
  /** Nobody waits any more. */
  readonly isIdle: () => boolean
  readonly sleep?: (ms: number) => Promise<unknown>
}

/** `help`: the script gave up, and the page is a waiting room. `left`: nobody waits any more. */
export type PaymentEnd = 'paid' | 'help' | 'left'

export async function pay(first: Offer, options: PaymentOptions): Promise<PaymentEnd> {
  let offer: Offer | PaymentEnd = first
  const msPerPart = first.isStatic ? options.msPerPart * STATIC_PART : options.msPerPart
  for (let tries = 1; typeof offer !== 'string'; tries++) {
    const end = await bid(offer, msPerPart, options)
    if (end !== 'fault') return end
    if (tries === MOST_TRIES) return 'help'
    offer = await renew(options)
  }
  return offer
}

async function bid(offer: Offer, msPerPart: number, options: PaymentOptions): Promise<PaymentEnd | 'fault'> {
  const { random, fetch, isIdle, sleep = wait } = options
  const proof = new Proof(offer, random)
  let next = Math.min(MOST_PARTS, offer.price)
  let lost = 0
  for (;;) {
    if (proof.parts < next) {
      await sleep(effortMs(random, next - proof.parts, msPerPart))
      if (isIdle()) return 'left'
      proof.solve(next)
    }
    const got = await fetch(proof.target())
    if (isIdle()) return 'left'
    const answer = got ? readProofAnswer(got.status, got.body) : ({ kind: 'other' } as const)
    if (answer.kind === 'paid') return 'paid'
    if (answer.kind === 'fault') return 'fault'
    const price = answer.kind === 'price' ? Math.min(MOST_PARTS, answer.price) : 0
    if (price > proof.parts) {
      lost = 0
      next = Math.min(price, proof.parts + Math.ceil(price / 4))
      continue
    }
    lost = answer.kind === 'busy' ? 0 : lost + 1
    if (lost > MOST_LOST) return 'help'
    await sleep(pauseMs(answer.kind === 'busy' ? answer.afterMs : 0, lost))
    if (isIdle()) return 'left'
  }
}

/** A new challenge, asked for until there is one. */
async function renew({ fetch, isIdle, sleep = wait }: PaymentOptions): Promise<Offer | PaymentEnd> {
  for (let lost = 1; lost <= MOST_LOST; lost++) {
    const got = await fetch(CHALLENGE_TARGET)
    if (isIdle()) return 'left'
    const offer = got && readChallenge(got.status, got.body)
    if (offer) return offer
    await sleep(pauseMs(0, lost))
  }
  return 'help'
}

function pauseMs(toldMs: number, lost: number): number {
  return Math.min(60_000, Math.max(1000, toldMs || 1000 * 2 ** lost))
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
