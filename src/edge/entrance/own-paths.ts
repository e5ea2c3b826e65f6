/**
 * What Digue answers itself on every site, below /.well-known/digue/: a new challenge, a proof, a form sent
 * again. docs/challenge-protocol.md describes them for those who write clients.
 *
 * A proof is checked when the thread has time for it (`ProofDesk`): its share of CPU is bounded and
 * handed out in turns by network. What can be refused without a hash is refused first.
 */
import { FairQueue, type Weights } from '#admission'
import {
  CHALLENGE_PATH,
  grantClearance,
  issueChallenge,
  LEAST_PRICE,
  labelOf,
  openForm,
  PROOF_PATH,
  type Proof,
  ProofDesk,
  REPLAY_PATH,
  readChallenge,
  readProof,
  writeClearance,
} from '#challenge'
import { fieldValue } from '#http'
import { routeOf } from '#recognise'
import { type Answer, freshAnswer } from '../answers.ts'
import type { Exchange } from '../exchange.ts'
import { aggregateOf, type Entrance } from './entrance.ts'

/** Seconds after which a proof that found no room is sent again. */
const BUSY_RETRY_S = 2
/** How long a form's id is remembered, s: longer than the form itself is good for. */
const FORM_KEPT_S = 1800

/** Proofs in line, those of one subscriber, and how long one may stand in it, ms. */
const MOST_WAITING = 1024
const MOST_PER_SUBSCRIBER = 4
const MOST_WAIT_MS = 2000

interface Sent {
  readonly exchange: Exchange
  readonly proof: Proof
}

export class OwnPaths {
  readonly #entrance: Entrance
  readonly #desk: ProofDesk<Sent>
  readonly #answer: (exchange: Exchange, answer: Answer, reason: string) => void
  readonly #junk: (exchange: Exchange) => void

  constructor(
    entrance: Entrance,
    parts: {
      readonly answer: (exchange: Exchange, answer: Answer, reason: string) => void
      /** A proof that proved nothing. */
      readonly junk: (exchange: Exchange) => void
      /** Calm-weather shares over all sites. */
      readonly weights: Weights
    },
  ) {
    this.#entrance = entrance
    this.#answer = parts.answer
    this.#junk = parts.junk
    this.#desk = new ProofDesk<Sent>({
      order: new FairQueue({
        weights: parts.weights,
        maxWaiting: MOST_WAITING,
        maxPerSubscriber: MOST_PER_SUBSCRIBER,
        maxWaitMs: MOST_WAIT_MS,
        count: entrance.count,
      }),
      clockMs: () => performance.now(),
      isGone: ({ exchange }) => exchange.ended,
      count: entrance.count,
    })
  }

  /** True when the target is one of ours and was taken care of. A form sent again goes on, once its body is here. */
  take(exchange: Exchange, nowMs: number): boolean {
    const { target, method } = exchange.head
    const query = target.indexOf('?')
    const path = query === -1 ? target : target.slice(0, query)
    const reads = method === 'GET' || method === 'HEAD'
    if (path === PROOF_PATH && reads)
      this.#proof(exchange, query === -1 ? '' : target.slice(query + 1), nowMs)
    else if (path === CHALLENGE_PATH && reads) this.#challenge(exchange)
    else if (path === REPLAY_PATH && method === 'POST') return false
    else this.#answer(exchange, json(404, { status: 'fault', fault: 'no-such-path' }), 'no-such-path')
    return true
  }

  /** Proofs whose turn has come. */
  tick(nowMs: number): void {
    for (let judged = this.#desk.next(nowMs); judged !== undefined; judged = this.#desk.next(nowMs)) {
      const { item, effort } = judged
      if (item.exchange.ended) continue
      if (effort === 'busy') this.#busy(item.exchange)
      else if (effort === 'wrong-part') this.#fault(item.exchange, 403, effort)
      else this.#paid(item, effort)
    }
  }

  /** The sealed form in `exchange`'s body takes the place of the request; '' or why it cannot. */
  openForm(exchange: Exchange): string {
    const { carrier, site, head } = exchange
    const body = carrier.collected
    const sealed = body === undefined ? undefined : formValue(body, 'sealed')
    if (sealed === undefined) return 'form-malformed'
    // Somebody could seal a form of his own and have another's browser send it.
    const label = labelOf(head.fields, fieldValue(head.fields, 'host') ?? head.host, exchange.secure)
    if (label !== 'same-origin') return `form-${label}`
    const nowS = this.#entrance.nowS()
    const form = openForm(this.#entrance.keys, site.name, sealed, nowS)
    if (typeof form === 'string') return `form-${form}`
    if (!this.#entrance.meter.claimOnce(form.id, nowS + FORM_KEPT_S, nowS)) return 'form-sent-already'
    const own = head.fields.filter((_, i) =>
      /^(host|connection|authorization)$/i.test(head.fields[i - (i % 2)]!),
    )
    exchange.head = {
      method: 'POST',
      target: form.target,
      version: head.version,
      host: head.host,
      fields: [...own, ...form.fields, 'Content-Length', String(form.body.length)],
    }
    carrier.substitute!(form.body)
    exchange.route = routeOf('POST', form.target)
    return ''
  }

  #challenge(exchange: Exchange): void {
    const { site, client } = exchange
    const entrance = this.#entrance.site(site)
    this.#answer(
      exchange,
      json(200, {
        challenge: issueChallenge(this.#entrance.keys, site.name, client.prefix, this.#entrance.nowS()),
        bits: entrance.bits,
        price: this.#entrance.prices.price(aggregateOf(client)),
      }),
      'challenge',
    )
  }

  #proof(exchange: Exchange, query: string, nowMs: number): void {
    const proof = readProof(query)
    if (proof === undefined) {
      this.#fault(exchange, 400, 'malformed')
      return
    }
    const { site, client } = exchange
    const challenge = readChallenge(this.#entrance.keys, site.name, proof.challenge, this.#entrance.nowS())
    if (typeof challenge === 'string') {
      this.#fault(exchange, challenge === 'malformed' ? 400 : 403, challenge)
      return
    }
    const parts = proof.nonces.length / 4
    const price = this.#entrance.prices.price(aggregateOf(client))
    // Too low a bid is told the price before anything is checked.
    if (parts < Math.max(price, LEAST_PRICE)) {
      this.#answer(exchange, json(202, { status: 'price', price }), 'price')
      return
    }
    const { seed, nonces } = proof
    const work = { mac: challenge.mac, seed, nonces, bits: this.#entrance.site(site).bits }
    if (this.#desk.offer({ exchange, proof }, work, client, nowMs)) this.tick(nowMs)
    else this.#busy(exchange)
  }

  #busy(exchange: Exchange): void {
    const answer = json(503, { status: 'busy', retryAfterS: BUSY_RETRY_S }, [
      'retry-after',
      String(BUSY_RETRY_S),
    ])
    this.#answer(exchange, answer, 'proof-busy')
  }

  #paid({ exchange, proof }: Sent, effort: number): void {
    const { keys } = this.#entrance
    const { site } = exchange
    const bought = { effort, budgetMs: this.#entrance.budgetMs(site) }
    const clearance = grantClearance(keys, site.name, proof, bought)
    const cookie = writeClearance(keys, site.name, clearance)
    const fields = ['set-cookie', this.#entrance.clearanceCookie(site, clearance, exchange.secure)]
    this.#answer(exchange, json(200, { status: 'paid', effort, cookie }, fields), 'paid')
  }

  #fault(exchange: Exchange, status: number, fault: string): void {
    this.#entrance.count(`proof-${fault}`)
    this.#junk(exchange)
    this.#answer(exchange, json(status, { status: 'fault', fault }), `proof-${fault}`)
  }
}

function json(status: number, value: object, extra: readonly string[] = []): Answer {
  return freshAnswer(
    status,
    ['content-type', 'application/json', 'cache-control', 'no-store', ...extra],
    Buffer.from(JSON.stringify(value)),
  )
}

/** One value of an application/x-www-form-urlencoded body. */
function formValue(body: Buffer, name: string): string | undefined {
  return new URLSearchParams(body.toString('latin1')).get(name) ?? undefined
}
