/**
 * How a client opens an HTTP/2 connection, after Akamai's "Passive Fingerprinting of HTTP/2 Clients" (2017):
 *
 *   1:65536;2:0;4:6291456;6:262144|15663105|m,a,s,p
 *   settings that differ from the protocol's | growth of the connection's window | order of pseudo-header fields
 *
 * Not quite Akamai's text: a parsed session tells neither in which order the settings came nor whether one
 * was sent with its initial value, so they are in the order of their numbers and without those of initial
 * value (RFC 9113 §6.5.2); priority frames (obsolete since RFC 9113) are left out. Texts of
 * other tools cannot be compared with it one to one.
 */

/** Of Node's `session.remoteSettings`; what is absent counts as initial. */
export interface H2Settings {
  readonly headerTableSize?: number
  readonly enablePush?: boolean
  readonly maxConcurrentStreams?: number
  readonly initialWindowSize?: number
  readonly maxFrameSize?: number
  readonly maxHeaderListSize?: number
  readonly enableConnectProtocol?: boolean
  /** Others by number, as far as the session was told to keep them. */
  readonly customSettings?: Readonly<Record<number, number>>
}

const INITIAL_WINDOW = 65_535
/** Initial value of MAX_CONCURRENT_STREAMS and MAX_HEADER_LIST_SIZE: none, which Node shows as this. */
const UNLIMITED = 0xffffffff

/** Of `settings`, the connection's send window at the first request, and that request's fields (Node's rawHeaders). */
export function h2FingerprintOf(settings: H2Settings, window: number, fields: readonly string[]): string {
  let text = ''
  const add = (number: number, value: number | undefined, initial: number) => {
    if (value !== undefined && value !== initial) text += `${text === '' ? '' : ';'}${number}:${value}`
  }
  add(1, settings.headerTableSize, 4096)
  add(2, settings.enablePush === undefined ? undefined : Number(settings.enablePush), 1)
  add(3, settings.maxConcurrentStreams, UNLIMITED)
  add(4, settings.initialWindowSize, INITIAL_WINDOW)
  add(5, settings.maxFrameSize, 16_384)
  add(6, settings.maxHeaderListSize, UNLIMITED)
  add(8, settings.enableConnectProtocol === undefined ? undefined : Number(settings.enableConnectProtocol), 0)
  const custom = Object.entries(settings.customSettings ?? {})
  for (const [number, value] of custom.slice(0, 4)) add(Number(number), value, -1)
  return `${text}|${Math.max(0, window - INITIAL_WINDOW)}|${pseudoOrder(fields)}`
}

function pseudoOrder(fields: readonly string[]): string {
  let order = ''
  for (let i = 0; i < fields.length && i < 12; i += 2) {
    const name = fields[i]!
    if (name.charCodeAt(0) !== 0x3a) break
    order += `${order === '' ? '' : ','}${name[1] ?? ''}`
  }
  return order
}
