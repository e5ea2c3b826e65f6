/** Limits on what one HTTP/2 connection may cost, with a counter for each. */
import type { SecureServerOptions, ServerHttp2Session } from 'node:http2'
import type { LimitsConfig } from '#config'

/** Options for `http2.performServerHandshake` or `http2.createServer`. */
export function h2ServerOptions(limits: LimitsConfig): SecureServerOptions {
  return { settings: { maxConcurrentStreams: limits.streams } }
}

/** Watches a session and destroys it when it floods. Call once, before its first event. */
export function guardSession(
  session: ServerHttp2Session,
  options: { readonly limits: LimitsConfig; readonly count: (counter: string, by?: number) => void },
): void {
  session.on('error', () => options.count('h2-session-error'))
}
