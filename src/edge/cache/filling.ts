/**
 * One request to the origin whose answer may fill the store: from its being asked to its being stored, or
 * not. It knows nothing of who relays the answer; it is told what comes and says what to do with it.
 *
 *   planned ──answered──▶ copying ──▶ over: stored
 *      │          ├─────────────────▶ over: not stored (the answer passes by)
 *      │          └─────────────────▶ over: confirmed (304), or something stored stands in
 *      └──abandoned─────────────────▶ over
 */
import {
  type CacheRules,
  completed,
  completedBody,
  type Refusal,
  refresh,
  type Served,
  Stored,
  type StoredResponse,
  serve,
  storability,
} from '#cache'
import { mayHoldOurs } from '#challenge'
import { endToEndFields, type FieldLines, fieldList, type RequestHead, storeFieldsOf } from '#http'
import { isConditional, isPersonal } from '../forwarding.ts'
import type { SiteRuntime } from '../house.ts'
import type { Flight } from './collapsing.ts'

/** Something stored that is sent in place of the origin's answer. */
export interface Instead {
  readonly served: Served
  /** Of the log: '' when the origin has confirmed it. */
  readonly reason: '' | 'stale' | 'emergency'
  /** The same ready to be written to HTTP/1.1, for the most frequent answer: a whole page; and for HTTP/2. */
  readonly written?: Written | undefined
  readonly lines?: Lines | undefined
}

/** `head` ends with "Age: "; `tail` is the age and what else is said, without the empty line. */
export interface Written {
  readonly status: number
  readonly head: Buffer
  readonly tail: string
  readonly body: Uint8Array
}

/**
 * What to do with the origin's answer. `copy`: pass it on, and tell the body. `instead`: send `instead`, the answer is of no
 * use. `hold`: tell the body and pass nothing on; at its end send `instead`, where there is one, else ask again. `again`: ask
 * the origin again, by what `conditions` are now.
 */
export type Wish = 'pass' | 'copy' | 'instead' | 'hold' | 'again'

/** `fields` begin with ":status", and their names are in lower case. */
export interface Lines {
  readonly status: number
  readonly fields: FieldLines
  readonly body: Uint8Array
}

/** What a relay tells of the origin's answer, and asks. */
export interface Fill {
  /** What the origin is asked for in place of the client's own target; undefined: that. */
  readonly target: string | undefined
  /** The fields to ask the origin with in place of the client's own conditions and ranges; undefined: leave them. */
  readonly conditions: FieldLines | undefined
  /** Its final head has come. `isSilent`: none of its fields says for how long it may be kept. */
  answered(status: number, fields: () => FieldLines, isSilent?: boolean): Wish
  readonly instead: Instead | undefined
  /** Body bytes without transfer coding; they are the caller's again afterwards. */
  data(bytes: Uint8Array): void
  completed(): void
  /** What was held broke off, and the origin is asked again. */
  startOver(): void
  /** The answer broke off, or nobody waits for it any more. Does nothing once it is over. */
  abandoned(): void
  /** What may be sent since the origin cannot answer now, for whatever reason. */
  standIn(why: 'shed' | 'failed'): Instead | undefined
  /** Field lines for an answer that is passed on. */
  readonly ownFields: FieldLines
}

/**
 * How a fill ended. `rejected`: such an answer may not be stored. `failed`: the origin could not answer.
 * `abandoned`: nothing is known of the page.
 */
export type Landing = 'stored' | 'rejected' | 'failed' | 'abandoned'

export interface Plan {
  readonly key: string
  readonly site: SiteRuntime
  /** As the origin is asked, without what is Digue's own. */
  readonly request: RequestHead
  /** The request's target is not the client's: what changes nothing in a page was taken out. */
  readonly isRewritten?: boolean
  readonly rules: CacheRules
  /** Cache-Status `fwd` (RFC 9211 §2.2). */
  readonly forwarded: string
  /** Asked about with `conditions`: a 304 confirms it. */
  readonly validates?: Stored
  readonly conditions?: FieldLines
  /** A part of what is asked for: `conditions` ask for the rest. */
  readonly completes?: Stored
  /** May be sent when the origin cannot answer. */
  readonly stale?: Stored
  readonly emergency?: Stored
  /** Others may wait for its answer, once it has taken off. */
  readonly leads: boolean
}

/** Where fills end up. */
export interface Fillings {
  nowMs(): number
  count(counter: string): void
  /** Room for a copy that grows by so many bytes; false when there is none. */
  reserve(bytes: number): boolean
  release(bytes: number): void
  /** What is in use from now on: it, or a younger one; undefined when it may not be kept, or is of yesterday already. */
  keep(response: StoredResponse, rules: CacheRules): Stored | undefined
  /** What was stored is not what the origin says any more. */
  forget(key: string): void
  /** The origin's answer to a GET for the whole page, stored or not: what it teaches of its target's parameters. */
  saw(filling: Filling, status: number, response?: StoredResponse): void
  /** The head of an answer that will be copied has come. */
  copying(filling: Filling): void
  landed(filling: Filling, how: Landing): void
}

/** Failures for which a stale response may stand in (RFC 5861 §4). */
const IS_FAILURE: ReadonlySet<number> = new Set([500, 502, 503, 504])

/**
 * Refusals that are due to how a request asks. They say nothing of the page, so that nobody can take it from the
 * others by asking strangely.
 */
const OF_THE_REQUEST: ReadonlySet<Refusal> = new Set([
  'method',
  'request-no-store',
  'unkeyed-field',
  'vary-long',
])

/** Small pieces of a body are gathered in blocks: an object for each would be larger than they are. */
const BLOCK_BYTES = 16_384

const NO_CONDITIONS: FieldLines = []

export class Filling implements Fill {
  readonly plan: Plan
  /** Those who wait for its answer; undefined while it waits itself, or nobody may. */
  flight: Flight | undefined
  readonly #shared: Fillings
  readonly #requestedAtMs: number
  #receivedAtMs = 0
  #over = false
  #chunks: Uint8Array[] = []
  /** Room left at the end of the last chunk. */
  #room = 0
  #bytes = 0
  #draft: Omit<StoredResponse, 'body'> | undefined
  #instead: Instead | undefined
  #outcome: Landing | undefined
  /** The part that the answer is to complete. */
  #completes: Stored | undefined

  constructor(plan: Plan, shared: Fillings) {
    this.plan = plan
    this.#shared = shared
    this.#requestedAtMs = shared.nowMs()
    this.#completes = plan.completes
  }

  get target(): string | undefined {
    return this.plan.isRewritten === true ? this.plan.request.target : undefined
  }

  get conditions(): FieldLines | undefined {
    const { conditions, completes } = this.plan
    // Of no avail the first time: the whole is asked for, and without the client's own conditions, as the plan has none.
    return completes !== undefined && this.#completes === undefined ? NO_CONDITIONS : conditions
  }

  get instead(): Instead | undefined {
    return this.#instead
  }

  get isOver(): boolean {
    return this.#over
  }

  get ownFields(): FieldLines {
    const stored = this.#draft === undefined ? '' : '; stored'
    return ['cache-status', `Digue; fwd=${this.plan.forwarded}${stored}`]
  }

  answered(status: number, fields: () => FieldLines, isSilent = false): Wish {
    const { plan } = this
    this.#receivedAtMs = this.#shared.nowMs()
    if (plan.validates !== undefined && plan.conditions !== undefined && status === 304) {
      this.#confirm(plan.validates, fields())
      return 'instead'
    }
    const instead = IS_FAILURE.has(status)
      ? this.#standIn(`fwd=${plan.forwarded}; fwd-status=${status}`)
      : undefined
    if (instead !== undefined) {
      this.#instead = instead
      this.#end('failed')
      return 'instead'
    }
    // 416: it has become shorter, and the origin knows no If-Range.
    if (this.#completes !== undefined && (status === 206 || status === 416))
      return this.#rest(this.#completes, status, fields())
    // Also when the rest was asked for: it has changed.
    this.#completes = undefined
    const isWanted = plan.validates !== undefined || plan.rules.isEmergencyPath(plan.request.target)
    if (isSilent && !isWanted) return this.#reject(status, 'no-freshness')
    const response = { status, fields: fields() }
    if (plan.request.method === 'HEAD') {
      this.#head(response)
      return 'pass'
    }
    const times = { requestedAtMs: this.#requestedAtMs, receivedAtMs: this.#receivedAtMs }
    // What a client's Connection names never came to the origin: an answer does not vary on it.
    const { method, target, version, host } = plan.request
    const request = { method, target, version, host, fields: endToEndFields(plan.request.fields) }
    if (hasCookieLikeOurs(request)) return this.#reject(status, 'unkeyed-field')
    const may = storability(request, response, times, plan.rules)
    if (!may.store) return this.#reject(status, may.reason)
    const { purpose, vary, variant } = may
    this.#draft = { key: plan.key, purpose, vary, variant, status, fields: may.fields, ...times }
    this.#shared.copying(this)
    return 'copy'
  }

  data(bytes: Uint8Array): void {
    if (this.#over) return
    const { length } = bytes
    if (this.#bytes + length > this.plan.rules.objectBytes) {
      this.#shared.count('cache-too-large')
      this.#end('rejected')
    } else if (!this.#shared.reserve(length)) {
      this.#shared.count('cache-copies-full')
      this.#end('abandoned')
    } else {
      this.#bytes += length
      this.#append(bytes)
    }
  }

  /** A copy: the bytes lie in a buffer that is read into again. */
  #append(bytes: Uint8Array): void {
    const fitting = Math.min(this.#room, bytes.length)
    if (fitting > 0) {
      const last = this.#chunks.at(-1)!
      last.set(bytes.subarray(0, fitting), last.length - this.#room)
      this.#room -= fitting
    }
    if (fitting === bytes.length) return
    const rest = bytes.subarray(fitting)
    // Most bodies come in one or two pieces, of which the first need no more than their own room.
    const block = new Uint8Array(this.#chunks.length < 2 ? rest.length : Math.max(rest.length, BLOCK_BYTES))
    block.set(rest)
    this.#room = block.length - rest.length
    this.#chunks.push(block)
  }

  completed(): void {
    if (this.#over || this.#draft === undefined) return
    if (this.#completes !== undefined) {
      this.#completed(this.#completes, this.#draft)
      return
    }
    const body = new Uint8Array(new SharedArrayBuffer(this.#bytes))
    let at = 0
    for (const chunk of this.#chunks) {
      body.set(at + chunk.length > body.length ? chunk.subarray(0, body.length - at) : chunk, at)
      at += chunk.length
    }
    const response = { ...this.#draft, body }
    // A part tells nothing of the page.
    if (response.status !== 206) this.#shared.saw(this, response.status, response)
    this.#end(this.#shared.keep(response, this.plan.rules) === undefined ? 'abandoned' : 'stored')
  }

  startOver(): void {
    this.#shared.release(this.#bytes)
    this.#bytes = 0
    this.#chunks = []
    this.#room = 0
    this.#draft = undefined
    this.#completes = undefined
  }

  abandoned(): void {
    this.#end('abandoned')
  }

  standIn(why: 'shed' | 'failed'): Instead | undefined {
    const instead = this.#standIn(`fwd=${this.plan.forwarded}; detail=${why}`)
    this.#end(why === 'failed' ? 'failed' : 'abandoned')
    return instead
  }

  /** How it ended; undefined while it has not. */
  get outcome(): Landing | undefined {
    return this.#outcome
  }

  #standIn(status: string): Instead | undefined {
    const { plan } = this
    const nowMs = this.#shared.nowMs()
    if (plan.stale !== undefined)
      return { served: serve(plan.stale, plan.request, nowMs, { status }), reason: 'stale' }
    if (plan.emergency === undefined) return undefined
    const served = serve(plan.emergency, plan.request, nowMs, { status })
    const fields = [...served.fields, 'digue-notice', 'last-known-good']
    return { served: { ...served, fields }, reason: 'emergency' }
  }

  /** The rest of what is there in part; or something else that cannot be put to it, and is no answer to the client. */
  #rest(stored: Stored, status: number, fields: FieldLines): 'hold' | 'again' {
    const { request, rules } = this.plan
    const times = { requestedAtMs: this.#requestedAtMs, receivedAtMs: this.#receivedAtMs }
    this.#draft = completed(stored, request, { status, fields }, { times, rules })
    if (this.#draft === undefined) {
      this.#misfit()
      return 'again'
    }
    this.#shared.copying(this)
    return 'hold'
  }

  #completed(part: Stored, draft: Omit<StoredResponse, 'body'>): void {
    const chunks = this.#chunks.map((chunk, i) =>
      i === this.#chunks.length - 1 ? chunk.subarray(0, chunk.length - this.#room) : chunk,
    )
    const body = completedBody(part, chunks)
    if (body === undefined) {
      this.#misfit()
      return
    }
    const { request, forwarded, rules } = this.plan
    const response = { ...draft, body }
    const stored = this.#shared.keep(response, rules) ?? new Stored(response, rules)
    const nowMs = this.#shared.nowMs()
    const status = `fwd=${forwarded}; fwd-status=206; stored`
    this.#instead = { served: serve(stored, request, nowMs, { status }), reason: '' }
    this.#shared.saw(this, 200, response)
    this.#end('stored')
  }

  /** What is there in part is not what the origin has now. */
  #misfit(): void {
    this.#shared.count('cache-part-misfit')
    this.#shared.forget(this.plan.key)
    this.startOver()
  }

  #confirm(validated: Stored, fields: FieldLines): void {
    const { plan } = this
    const times = { requestedAtMs: this.#requestedAtMs, receivedAtMs: this.#receivedAtMs }
    const updated = refresh(validated, { status: 304, fields }, times)
    const stored = updated === undefined ? undefined : this.#shared.keep(updated, plan.rules)
    // It confirms something else, or what may not be kept any longer: good for one answer, and no more.
    if (stored === undefined) this.#shared.forget(plan.key)
    else this.#shared.saw(this, stored.response.status, stored.response)
    const status = `fwd=${plan.forwarded}; fwd-status=304`
    const served = serve(stored ?? validated, plan.request, this.#shared.nowMs(), { status })
    this.#instead = { served, reason: '' }
    this.#end(stored === undefined ? 'abandoned' : 'stored')
  }

  /** RFC 9111 §4.3.5: an answer to HEAD tells whether what is stored still holds. */
  #head(response: { status: number; fields: FieldLines }): void {
    const { validates, key, rules } = this.plan
    if (validates !== undefined && response.status === 200) {
      const times = { requestedAtMs: this.#requestedAtMs, receivedAtMs: this.#receivedAtMs }
      const updated = refresh(validates, response, times)
      if (updated === undefined || this.#shared.keep(updated, rules) === undefined) this.#shared.forget(key)
    }
    this.#end('rejected')
  }

  #reject(status: number, reason: Refusal): 'pass' {
    const { plan } = this
    const isOfTheRequest = OF_THE_REQUEST.has(reason) || isPartial(plan)
    if (plan.validates !== undefined && !isOfTheRequest && isOfYesterday(plan.request, status))
      this.#shared.forget(plan.key)
    if (!isOfTheRequest) this.#shared.saw(this, status)
    this.#end(IS_FAILURE.has(status) ? 'failed' : isOfTheRequest ? 'abandoned' : 'rejected')
    return 'pass'
  }

  #end(how: Landing): void {
    if (this.#over) return
    this.#over = true
    this.#outcome = how
    this.#shared.release(this.#bytes)
    this.#chunks = []
    if (how !== 'stored') this.#draft = undefined
    this.#shared.landed(this, how)
  }
}

/**
 * Called like one of Digue's own, which were all taken out: somebody made it up. The origin sees it, and the rules
 * take it for ours, which the origin does not see.
 */
function hasCookieLikeOurs({ fields }: RequestHead): boolean {
  const cookies = fieldList(fields, 'cookie')
  return cookies !== undefined && mayHoldOurs(cookies)
}

/** The client's own conditions and ranges went to the origin. */
function isPartial({ request, conditions }: Plan): boolean {
  return conditions === undefined && isConditional(storeFieldsOf(request))
}

/**
 * A stored page that the origin now answers otherwise is of yesterday; unless that is due to the client, who may be
 * logged in, or have provoked an error.
 */
function isOfYesterday({ fields }: RequestHead, status: number): boolean {
  return status === 404 || status === 410 || (status < 400 && !isPersonal(fields))
}
