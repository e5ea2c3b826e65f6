/** What calm weather shows of pages: their bodies, by which it is learned which parameters change them. */
import { hash } from 'node:crypto'
import { codingsOf, type Parameters, type StoredResponse } from '#cache'
import { type RequestHead, storeFieldsOf } from '#http'
import { isPersonal } from '../forwarding.ts'
import type { SiteRuntime } from '../house.ts'
import type { Plan } from './filling.ts'
import type { Sight } from './library-protocol.ts'

/** A larger body teaches nothing of parameters. */
const MOST_DIGESTED = 1_048_576
/** A page that serves is looked at so often. */
const SEEN_AGAIN_MS = 15_000

export interface SightsOptions {
  readonly parametersOf: (site: SiteRuntime) => Parameters
  /** The other threads. */
  readonly tell: (sight: Sight) => void
  /** Wall clock. */
  readonly nowMs: () => number
}

export class Sights {
  readonly #options: SightsOptions
  readonly #seenAtMs = new WeakMap<Uint8Array, number>()
  #unstored = 0

  constructor(options: SightsOptions) {
    this.#options = options
  }

  /** The origin's answer, stored or not. */
  answered({ site, request }: Plan, status: number, response: StoredResponse | undefined): void {
    if (!site.gate.learning || request.method !== 'GET' || isPersonal(storeFieldsOf(request))) return
    // What is not stored may be another page each time: it is none that another may stand for.
    if (response === undefined) this.#sight(site, request, status, `not stored ${++this.#unstored}`)
    else if (isComparable(response)) this.#sight(site, request, status, digestOf(response.body))
  }

  /** Served from the store it is the same page still, as the origin wants it. */
  served(site: SiteRuntime, head: RequestHead, response: StoredResponse): void {
    if (!site.gate.learning) return
    const { body, status } = response
    const nowMs = this.#options.nowMs()
    if (nowMs - (this.#seenAtMs.get(body) ?? 0) < SEEN_AGAIN_MS) return
    this.#seenAtMs.set(body, nowMs)
    if (!isPersonal(storeFieldsOf(head)) && isComparable(response))
      this.#sight(site, head, status, digestOf(body))
  }

  #sight(site: SiteRuntime, head: RequestHead, status: number, digest: string): void {
    const { target, host } = head
    const { parametersOf, tell, nowMs } = this.#options
    const { br, gzip } = codingsOf(storeFieldsOf(head))
    const atMs = nowMs()
    const variant = `${host} ${br} ${gzip}`
    parametersOf(site).learn(target, digest, status, atMs, variant)
    tell({ site: site.name, target, digest, status, variant, atMs })
  }
}

const digests = new WeakMap<Uint8Array, string>()

function digestOf(body: Uint8Array): string {
  let digest = digests.get(body)
  if (digest === undefined) digests.set(body, (digest = hash('sha1', body, 'base64url')))
  return digest
}

/** A page that is the same for all but for its coding: what differs is due to its parameters. */
function isComparable({ vary, body }: StoredResponse): boolean {
  return body.length <= MOST_DIGESTED && vary.every((name) => name === 'accept-encoding')
}
