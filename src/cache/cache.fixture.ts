/**
 * A cache without sockets, to try the rules out: it does with their answers what the edge does, with a
 * clock that is turned by hand.
 */
import { endToEndFields, type FieldLines, fieldValue, type RequestHead } from '#http'
import { type Served, serve } from './answer.ts'
import type { CacheRules } from './freshness.ts'
import { cacheKey, invalidated, uriKey } from './key.ts'
import { completed, completedBody, placed } from './part.ts'
import { type Choice, choose } from './reuse.ts'
import { storability } from './storable.ts'
import { Stored } from './stored.ts'
import type { StoredResponse } from './stored-response.ts'
import { refresh } from './update.ts'

export const HOUR_MS = 3_600_000
/** Some Tuesday in 2026, on the second. */
export const START_MS = Date.UTC(2026, 10, 24, 12)

export const RULES: CacheRules = {
  heuristicMs: 24 * HOUR_MS,
  staleMs: 24 * HOUR_MS,
  objectBytes: 1_000_000,
  isEmergencyPath: (target) => target.startsWith('/news'),
}

export function get(target = '/page', ...fields: string[]): RequestHead {
  return asking('GET', target, ...fields)
}

export function asking(method: string, target: string, ...fields: string[]): RequestHead {
  return {
    method,
    target,
    version: '1.1',
    host: 'www.example.org',
    fields: ['Host', 'www.example.org', ...fields],
  }
}

/** A stored response as it would be after coming at START_MS. */
export function stored(fields: FieldLines, over: Partial<StoredResponse> = {}, rules = RULES): Stored {
  return new Stored(
    {
      key: 'http://www.example.org/page',
      variant: '',
      vary: [],
      status: 200,
      fields,
      body: Buffer.from('0123456789'),
      requestedAtMs: START_MS,
      receivedAtMs: START_MS,
      purpose: 'reuse',
      ...over,
    },
    rules,
  )
}

export interface OriginAnswer {
  readonly status: number
  readonly fields: FieldLines
  readonly body: Uint8Array
}

/** `dead`: the connection breaks. */
export type Origin = (request: RequestHead, nowMs: number) => OriginAnswer | 'dead'

const isConditional = (fields: FieldLines) => fields.some((name, i) => i % 2 === 0 && CONDITIONAL.test(name))

const CONDITIONAL = /^(?:if-none-match|if-modified-since|if-range|range)$/i
const NOTHING = new Uint8Array(0)
/** On the way to the origin and back. */
const ROUND_TRIP_MS = 4

export class PureCache {
  nowMs = START_MS
  readonly rules: CacheRules
  readonly #variants = new Map<string, Stored[]>()

  constructor(rules: CacheRules = RULES) {
    this.rules = rules
  }

  variants(key: string): readonly Stored[] {
    return this.#variants.get(key) ?? []
  }

  exchange(request: RequestHead, origin: Origin): Served {
    const key = cacheKey(request, false)
    if (key === undefined) return this.#pass(request, origin)
    const choice = choose(this.variants(key), request, this.nowMs, this.rules.objectBytes)
    switch (choice.action) {
      case 'serve':
        return serve(choice.stored, request, this.nowMs, { status: 'hit' })
      case 'refuse':
        return { status: 504, fields: [], body: NOTHING }
      case 'validate': {
        if (!choice.whileRevalidate) return this.#forward(request, origin, { key, choice })
        const served = serve(choice.stored, request, this.nowMs, { status: 'hit; detail=stale' })
        this.#forward(request, origin, { key, choice })
        return served
      }
      case 'miss':
        return this.#forward(request, origin, { key, choice })
      default:
        return choice satisfies never
    }
  }

  /** What has nothing to do with the cache, but for what it makes invalid. */
  #pass(request: RequestHead, origin: Origin): Served {
    const answer = this.#ask(request, origin)
    if (answer === 'dead') return { status: 502, fields: [], body: NOTHING }
    for (const key of invalidated(request, false, answer)) this.#variants.delete(key)
    if (request.method === 'POST') this.#keep(uriKey(request, false)!, request, answer)
    return { ...answer, fields: endToEndFields(answer.fields) }
  }

  #forward(
    request: RequestHead,
    origin: Origin,
    { key, choice }: { key: string; choice: Extract<Choice, { action: 'validate' | 'miss' }> },
  ): Served {
    if (choice.action === 'miss' && choice.completes !== undefined && !isConditional(request.fields)) {
      const whole = this.#complete(request, origin, choice.completes)
      if (whole !== undefined)
        return serve(whole, request, this.nowMs, { status: 'fwd=partial; fwd-status=206' })
      return this.#forward(request, origin, { key, choice: { action: 'miss', why: 'uri-miss' } })
    }
    const isValidation = choice.action === 'validate' && choice.conditions.length > 0
    const requestedAtMs = this.nowMs
    const asked = isValidation
      ? { ...request, fields: withConditions(request.fields, choice.conditions) }
      : request
    const answer = this.#ask(asked, origin)
    if (answer === 'dead' || answer.status >= 500) {
      const standIn = choice.action === 'miss' ? choice.emergency : choice.ifError ? choice.stored : undefined
      if (standIn !== undefined) return serve(standIn, request, this.nowMs, { status: 'hit; detail=stale' })
      if (answer === 'dead') return { status: 502, fields: [], body: NOTHING }
    }
    const times = { requestedAtMs, receivedAtMs: this.nowMs }
    if (choice.action === 'validate' && (answer.status === 304 || request.method === 'HEAD')) {
      const response = refresh(choice.stored, answer, times)
      const fresh = response === undefined ? undefined : this.#put(response)
      if (fresh !== undefined)
        return serve(fresh, request, this.nowMs, { status: 'fwd=stale; fwd-status=304' })
      if (isValidation && request.method !== 'HEAD')
        return this.#forward(request, origin, { key, choice: { action: 'miss', why: 'uri-miss' } })
    }
    if (
      !this.#keep(key, request, answer, requestedAtMs) &&
      choice.action === 'validate' &&
      answer.status < 500
    )
      this.#variants.delete(key)
    return { ...answer, fields: endToEndFields(answer.fields) }
  }

  #complete(
    request: RequestHead,
    origin: Origin,
    { stored, conditions }: { stored: Stored; conditions: FieldLines },
  ): Stored | undefined {
    const requestedAtMs = this.nowMs
    const answer = this.#ask({ ...request, fields: withConditions(request.fields, conditions) }, origin)
    const how = { times: { requestedAtMs, receivedAtMs: this.nowMs }, rules: this.rules }
    const draft = answer === 'dead' ? undefined : completed(stored, request, answer, how)
    const body = draft === undefined ? undefined : completedBody(stored, [(answer as OriginAnswer).body])
    return body === undefined ? undefined : this.#put({ ...draft!, body })
  }

  #ask(request: RequestHead, origin: Origin): OriginAnswer | 'dead' {
    this.nowMs += ROUND_TRIP_MS / 2
    const answer = origin(request, this.nowMs)
    this.nowMs += ROUND_TRIP_MS / 2
    return answer
  }

  #keep(key: string, request: RequestHead, answer: OriginAnswer, requestedAtMs = this.nowMs): boolean {
    const times = { requestedAtMs, receivedAtMs: this.nowMs }
    const may = storability(request, answer, times, this.rules)
    if (!may.store) return false
    const { purpose, vary, variant, fields } = may
    const { status, body } = answer
    const came: StoredResponse = { key, purpose, vary, variant, fields, status, body, ...times }
    this.#put(status === 206 ? placed(this.variants(key), came, this.rules) : came)
    return true
  }

  #put(response: StoredResponse): Stored {
    const made = new Stored(response, this.rules)
    const others = this.variants(response.key).filter((other) => other.response.variant !== response.variant)
    if (made.isStorable) this.#variants.set(response.key, [...others, made])
    return made
  }
}

function withConditions(fields: FieldLines, conditions: FieldLines): string[] {
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!CONDITIONAL.test(fields[i]!)) kept.push(fields[i]!, fields[i + 1]!)
  }
  return [...kept, ...conditions]
}

export function field(served: { readonly fields: FieldLines }, lower: string): string | undefined {
  return fieldValue(served.fields, lower)
}
