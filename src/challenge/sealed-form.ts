/**
 * A form in progress, kept by whoever sent it while they are asked for effort or wait.
 *
 * Nothing is held on the server: the body comes back inside the page, encrypted and signed, with the
 * fields that made it what it was. Sent again it is the same request, once.
 *
 *   version 1 byte │ sealed at 4 │ id 8 │ target: length 2, text │ fields: count 1, then each
 *   name: length 1, text · value: length 2, text │ body to the end           inside KeyRing.seal, base64url
 *
 * Only what a browser says the site's own page sent is sealed. A form that another site's page sent
 * arrives without the site's strict cookies; sent again from a page of this site, it would arrive with
 * them and be labelled same-origin: sealing would launder it. What carries no label at all (an old
 * browser, a program) may be either, so it is not sealed. For the same reason what comes back must be
 * sent by our own page (`labelOf`): somebody could seal a login of their own and have another's browser
 * send it.
 *
 * The fields are an allow-list: no Authorization (a browser sends it again by itself), nothing that
 * ends at a hop, nothing that says whose request it is or was forwarded for whom.
 */
import { randomBytes } from 'node:crypto'
import { endToEndFields, type FieldLines, fieldList } from '#http'
import { assert } from '#kit'
import type { KeyRing } from './keys.ts'
import { CLOCK_SKEW_S, type TokenFault } from './protocol.ts'
import { base64urlBytes } from './tokens.ts'

export interface SealedForm {
  readonly target: string
  readonly fields: FieldLines
  readonly body: Buffer
}

export interface OpenedForm extends SealedForm {
  /** The same whenever the same seal is opened: to be used once. */
  readonly id: string
}

/** Time to read the page, wait, and have the form sent again. */
export const FORM_S = 900
export const MOST_FORM_BYTES = 16 * 1024
/** Of target and kept fields together. */
const MOST_HEAD_BYTES = 12 * 1024
const MOST_FIELDS = 48
const ID_BYTES = 8
const FORMAT = 1
const HEADER_BYTES = 1 + 4 + ID_BYTES
const MOST_PLAIN = HEADER_BYTES + 3 + MOST_HEAD_BYTES + 3 * MOST_FIELDS + MOST_FORM_BYTES
/** KeyRing adds 29 bytes. */
const MOST_TEXT = Math.ceil(((MOST_PLAIN + 29) * 4) / 3)

const KEPT: ReadonlySet<string> = new Set([
  'cookie',
  'origin',
  'sec-fetch-site',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'sec-fetch-user',
  'content-type',
  'accept',
  'accept-language',
  'referer',
  'user-agent',
  'upgrade-insecure-requests',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-gpc',
  'dnt',
  'x-requested-with',
  'x-csrf-token',
  'x-xsrf-token',
])

/** What a form can be encoded as (HTML §4.10.18.5). */
const FORM_TYPES =
  /^(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)(?:[ \t]*;|[ \t]*$)/i

/** Who sent a request, as far as the browser says so. */
export type Label = 'same-origin' | 'cross-site' | 'unlabelled'

/**
 * `authority`: the Host field, or host and port as it would say them.
 * Fetch Metadata is believed where there is any; else Origin, which browsers have sent with every POST for
 * longer. Neither can be set by a page's script.
 */
export function labelOf(fields: FieldLines, authority: string, secure: boolean): Label {
  const site = fieldList(fields, 'sec-fetch-site')
  const origin = fieldList(fields, 'origin')
  const isOwn = origin !== undefined && sameOrigin(origin, authority, secure)
  if (site === undefined) return origin === undefined ? 'unlabelled' : isOwn ? 'same-origin' : 'cross-site'
  // "none": typed, bookmarked, or sent again by the person. No page says who made it.
  if (site === 'none') return 'unlabelled'
  if (site !== 'same-origin') return 'cross-site'
  // Under `Referrer-Policy: no-referrer` a site's own forms have Origin: null (Fetch §3.2). A sandboxed
  // frame's have that too, but they are labelled cross-site.
  return origin === undefined || origin === 'null' || isOwn ? 'same-origin' : 'cross-site'
}

function sameOrigin(origin: string, authority: string, secure: boolean): boolean {
  const own = authority.toLowerCase().replace(secure ? /:443$/ : /:80$/, '')
  return origin.toLowerCase() === `${secure ? 'https' : 'http'}://${own}`
}

/** Whether a request may be sealed into a page, or why not. */
export function maySeal(
  head: { readonly method: string; readonly target: string; readonly fields: FieldLines },
  authority: string,
  secure: boolean,
  bodyBytes: number,
): 'seal' | 'not-a-form' | 'cross-site' | 'unlabelled' | 'too-large' {
  const { method, target, fields } = head
  const type = fieldList(fields, 'content-type')
  if (method !== 'POST' || type === undefined || !FORM_TYPES.test(type)) return 'not-a-form'
  // No browser encodes a form's content, and the field that says so is not kept.
  if (fieldList(fields, 'content-encoding') !== undefined) return 'not-a-form'
  const label = labelOf(fields, authority, secure)
  if (label !== 'same-origin') return label
  if (bodyBytes > MOST_FORM_BYTES) return 'too-large'
  const kept = keptFields(fields)
  const headBytes = kept.reduce((sum, text) => sum + Buffer.byteLength(text), Buffer.byteLength(target))
  return headBytes > MOST_HEAD_BYTES || kept.length > 2 * MOST_FIELDS ? 'too-large' : 'seal'
}

/** `form` as text for a hidden field. `maySeal` must have allowed it. */
export function sealForm(
  keys: KeyRing,
  site: string,
  form: SealedForm,
  nowS: number,
  id: Uint8Array = randomBytes(ID_BYTES),
): string {
  const fields = keptFields(form.fields)
  const header = Buffer.alloc(HEADER_BYTES)
  header[0] = FORMAT
  header.writeUInt32BE(nowS, 1)
  header.set(id.subarray(0, ID_BYTES), 5)
  const parts: Uint8Array[] = [header, ...withLength(form.target, 2), Buffer.of(fields.length / 2)]
  for (let i = 0; i < fields.length; i += 2)
    parts.push(...withLength(fields[i]!, 1), ...withLength(fields[i + 1]!, 2))
  parts.push(form.body)
  const plain = Buffer.concat(parts)
  assert(plain.length <= MOST_PLAIN, `sealForm: ${plain.length} bytes, maySeal allows ${MOST_PLAIN}`)
  return keys.seal(plain, contextOf(site), nowS).toString('base64url')
}

export function openForm(keys: KeyRing, site: string, text: string, nowS: number): OpenedForm | TokenFault {
  // One spelling only, or a form could be sent again under another.
  if (text.length > MOST_TEXT || base64urlBytes(text) <= 0) return 'malformed'
  const plain = keys.open(Buffer.from(text, 'base64url'), contextOf(site), nowS)
  if (plain === undefined) return 'forged'
  // From here on it is what we wrote ourselves, if not in another version.
  if (plain[0] !== FORMAT) return 'malformed'
  const sealedS = plain.readUInt32BE(1)
  if (sealedS > nowS + CLOCK_SKEW_S) return 'future'
  if (nowS > sealedS + FORM_S) return 'expired'
  const id = plain.toString('base64url', 5, HEADER_BYTES)
  let at = HEADER_BYTES
  const read = (lengthBytes: number): string => {
    const from = at + lengthBytes
    at = from + plain.readUIntBE(at, lengthBytes)
    return plain.toString('utf8', from, at)
  }
  const target = read(2)
  const fields: string[] = []
  for (let left = plain[at++]!; left > 0; left--) fields.push(read(1), read(2))
  return { id, target, fields, body: plain.subarray(at) }
}

function keptFields(fields: FieldLines): string[] {
  const kept = endToEndFields(fields)
  return kept.filter((_, i) => KEPT.has(kept[i - (i % 2)]!.toLowerCase()))
}

function withLength(text: string, lengthBytes: 1 | 2): [Buffer, Buffer] {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(lengthBytes)
  length.writeUIntBE(bytes.length, 0, lengthBytes)
  return [length, bytes]
}

function contextOf(site: string): string {
  return `form ${site}`
}
