/** What an origin's failure is called: in logs, metrics and the Digue-Error field. */

export interface OriginFailure {
  readonly reason: string
  readonly status: 502 | 504
  /** Nothing of the request can have been acted upon: another origin may be asked. */
  readonly notSent: boolean
}

const BY_CODE: Record<string, OriginFailure> = {
  ECONNREFUSED: { reason: 'origin-refused', status: 502, notSent: true },
  ENOENT: { reason: 'origin-refused', status: 502, notSent: true },
  EHOSTUNREACH: { reason: 'origin-unreachable', status: 502, notSent: true },
  ENETUNREACH: { reason: 'origin-unreachable', status: 502, notSent: true },
  EADDRNOTAVAIL: { reason: 'origin-no-port-left', status: 502, notSent: true },
  EMFILE: { reason: 'out-of-descriptors', status: 502, notSent: true },
  ENOTFOUND: { reason: 'origin-name-unknown', status: 502, notSent: true },
  EAI_AGAIN: { reason: 'origin-name-unknown', status: 502, notSent: true },
  UND_ERR_CONNECT_TIMEOUT: { reason: 'origin-connect-timeout', status: 504, notSent: true },
  UND_ERR_HEADERS_TIMEOUT: { reason: 'origin-timeout', status: 504, notSent: false },
  UND_ERR_HEADERS_OVERFLOW: { reason: 'origin-head-too-large', status: 502, notSent: false },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { reason: 'origin-length', status: 502, notSent: false },
  UND_ERR_SOCKET: { reason: 'origin-closed', status: 502, notSent: false },
  'origin-interim-flood': { reason: 'origin-interim-flood', status: 502, notSent: false },
  ECONNRESET: { reason: 'origin-closed', status: 502, notSent: false },
  EPIPE: { reason: 'origin-closed', status: 502, notSent: false },
}

export function originFailure(error: unknown): OriginFailure {
  let code = ''
  for (
    let cause: unknown = error, depth = 0;
    cause instanceof Error && depth < 4;
    cause = cause.cause, depth++
  ) {
    if ('code' in cause && typeof cause.code === 'string') code = cause.code
    const known = BY_CODE[code]
    if (known !== undefined) return known
    if (cause instanceof AggregateError && cause.errors.length > 0) return originFailure(cause.errors[0])
  }
  if (code.startsWith('HPE_') || (error instanceof Error && error.name === 'HTTPParserError'))
    return { reason: 'origin-garbage', status: 502, notSent: false }
  if (/^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/.test(code)) {
    return { reason: 'origin-tls', status: 502, notSent: true }
  }
  return { reason: 'origin-failed', status: 502, notSent: false }
}

/** What an answer says of its origin: 501 and 505 are about the request. */
export function outcomeOf(status: number): 'failed' | 'answered' {
  return status >= 500 && status !== 501 && status !== 505 ? 'failed' : 'answered'
}
