/**
 * A stored response with all that can be known of it in advance, so that a hit parses nothing but the
 * request: lifetime, directives, validators, and its head in bytes.
 */
import { type FieldLines, fieldList, fieldValue, listHas } from '#http'
import type { Directives } from './cache-control.ts'
import {
  type CacheRules,
  dateOf,
  initialAgeMs,
  type Leeway,
  type Lifetime,
  leewayOf,
  lifetimeOf,
  policyOf,
} from './freshness.ts'
import { formatHttpDate, parseHttpDate } from './http-date.ts'
import { type ByteRange, type Part, partOf, rangeWithin } from './range.ts'
import { isUnderstood, reasonOf } from './status.ts'
import type { StoredResponse } from './stored-response.ts'
import { conditionsOf, isWeak, type Validators, validatorsOf } from './validator.ts'
import { type Codings, partVariant } from './vary.ts'

/** The form in which a body goes out: as the origin sent it, or compressed by Digue. */
export type Form = 'origin' | 'br' | 'gzip'

export class Stored {
  readonly response: StoredResponse
  readonly directives: Readonly<Directives>
  readonly lifetime: Lifetime
  readonly leeway: Leeway
  /** May not be used without validation, however fresh (`no-cache`, RFC 9111 §5.2.2.4). */
  readonly mustValidate: boolean
  /** False when an update brought directives that forbid keeping it, or a part does not say which: good for one answer, and no more. */
  readonly isStorable: boolean
  readonly validators: Validators
  /** What to ask the origin with. */
  readonly conditions: FieldLines
  /** Names of `vary` as one word, to compare. */
  readonly varyNames: string
  /** Lower case; undefined for none. */
  readonly contentEncoding: string | undefined
  /** Content-Language in lower case, where it is one. */
  readonly language: string | undefined
  /** Which part of the whole it is; undefined: it is no part. */
  readonly part: Part | undefined
  readonly #initialAgeMs: number
  #fields: Partial<Record<Form, FieldLines>> = {}
  #lines: Partial<Record<Form, FieldLines>> = {}
  #heads: Partial<Record<Form, Buffer>> = {}

  constructor(response: StoredResponse, rules: CacheRules) {
    const { status, fields, receivedAtMs } = response
    const policy = policyOf(fields)
    this.response = response
    this.directives = policy.directives
    this.lifetime = lifetimeOf(status, fields, { policy, heuristicMs: rules.heuristicMs, receivedAtMs })
    this.leeway = leewayOf(status, policy.directives, rules.staleMs)
    this.mustValidate = policy.directives.noCache
    this.part = status === 206 ? partOf(fieldValue(fields, 'content-range') ?? '') : undefined
    this.isStorable = !forbidsStoring(policy.directives, status) && (status !== 206 || this.#isOfItsPart())
    this.#initialAgeMs = initialAgeMs(fields, response)
    this.validators = validatorsOf(fields, dateOf(fields, receivedAtMs))
    this.conditions = conditionsOf(this.validators)
    this.varyNames = response.vary.join()
    this.contentEncoding = fieldValue(fields, 'content-encoding')?.toLowerCase()
    const language = fieldList(fields, 'content-language')?.trim().toLowerCase()
    this.language = language === undefined || language.includes(',') ? undefined : language
  }

  /** A body longer than its part would be: nobody knows what it is. */
  #isOfItsPart(): boolean {
    return this.part !== undefined && this.response.body.byteLength <= this.part.to - this.part.from
  }

  /** Of a part, the bytes that answer Range; undefined when some are not in it. */
  within(range: string): ByteRange | undefined {
    const { part, response } = this
    if (part === undefined) return undefined
    const { byteLength } = response.body
    const { from, to } = part
    // An origin that sent less than it says: to the same question the same answer, whatever it means.
    if (byteLength < to - from && response.variant.endsWith(partVariant('', range)))
      return { from, to: from + byteLength }
    return rangeWithin(part, byteLength, range)
  }

  /** current_age (RFC 9111 §4.2.3), ms. A clock that was put back makes nothing younger than it came. */
  ageMs(nowMs: number): number {
    return this.#initialAgeMs + Math.max(0, nowMs - this.response.receivedAtMs)
  }

  /** Freshness left, ms; 0 or less: stale for so long. */
  ttlMs(nowMs: number): number {
    return this.lifetime.ms - this.ageMs(nowMs)
  }

  /** Value of Age: whole seconds. */
  ageS(nowMs: number): number {
    return Math.floor(this.ageMs(nowMs) / 1000)
  }

  /** The form for a client that accepts `codings`; the smallest first. */
  formFor(codings: Codings): Form {
    const { encodings } = this.response
    if (encodings === undefined) return 'origin'
    if (codings.br && encodings.br !== undefined) return 'br'
    return codings.gzip && encodings.gzip !== undefined ? 'gzip' : 'origin'
  }

  bodyIn(form: Form): Uint8Array {
    const { body, encodings } = this.response
    return form === 'origin' ? body : (encodings?.[form] ?? body)
  }

  /** Entity tag of a form: what Digue compressed is the same only semantically (RFC 9110 §8.8.3.3). */
  etagIn(form: Form): string | undefined {
    const { etag } = this.validators
    return form === 'origin' || etag === undefined || isWeak(etag) ? etag : `W/${etag}`
  }

  /** Field lines of the whole response in a form, without Age and Cache-Status. */
  fieldsIn(form: Form): FieldLines {
    return (this.#fields[form] ??= this.#fieldsOf(form))
  }

  /** The same with names in lower case, as HTTP/2 wants them (RFC 9113 §8.2), and the status before them. */
  linesIn(form: Form): FieldLines {
    return (this.#lines[form] ??= [
      ':status',
      String(this.response.status),
      ...this.fieldsIn(form).map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text)),
    ])
  }

  /** The head of the whole response in a form, in HTTP/1.1, as far as "Age: ": its value, what else the edge adds and the empty line follow. */
  headIn(form: Form): Buffer {
    return (this.#heads[form] ??= this.#headOf(form))
  }

  #headOf(form: Form): Buffer {
    const { status } = this.response
    let head = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`
    const fields = this.fieldsIn(form)
    for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`
    return Buffer.from(`${head}Age: `, 'latin1')
  }

  #fieldsOf(form: Form): FieldLines {
    const { status, fields, receivedAtMs, encodings } = this.response
    const made: string[] = []
    let hasDate = false
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!
      const lower = name.toLowerCase()
      if (lower === 'age' || lower === 'content-length') continue
      if (lower === 'date') {
        // One without a valid date is as good as none (RFC 9110 §6.6.1).
        if (hasDate || parseHttpDate(fields[i + 1]!, receivedAtMs) === undefined) continue
        hasDate = true
      }
      if (form !== 'origin') {
        if (lower === 'etag') {
          made.push(name, this.etagIn(form)!)
          continue
        }
        if (OF_THE_ORIGINS_FORM.has(lower)) continue
      }
      made.push(name, fields[i + 1]!)
    }
    if (!hasDate) made.push('Date', formatHttpDate(receivedAtMs))
    if (form !== 'origin') made.push('Content-Encoding', form)
    if (encodings !== undefined && !variesOn(fields, 'accept-encoding')) made.push('Vary', 'Accept-Encoding')
    if (status !== 204) made.push('Content-Length', String(this.bodyIn(form).byteLength))
    return made
  }
}

/** Said of the very bytes that the origin sent. */
const OF_THE_ORIGINS_FORM: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-md5',
  'digest',
  'repr-digest',
])

function variesOn(fields: FieldLines, lower: string): boolean {
  const vary = fieldList(fields, 'vary')
  return vary !== undefined && listHas(vary, lower)
}

/** RFC 9111 §3: by directives alone. */
export function forbidsStoring(directives: Readonly<Directives>, status: number): boolean {
  const { noStore, isPrivate, mustUnderstand } = directives
  if (mustUnderstand && !isUnderstood(status)) return true
  // Whoever understands the status may ignore the no-store that is there for those who do not (§5.2.2.3).
  return isPrivate || (noStore && !mustUnderstand)
}
