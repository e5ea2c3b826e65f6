/**
 * Which certificate answers which server name, sealed under which ticket key.
 *
 * The ClientHello has been read when a handshake begins, so the right SecureContext is known and
 * given to TLSSocket at once: no SNICallback (one call into JavaScript and one more SSL_CTX per
 * handshake), and a ticket sealed under the previous key meets the context that holds that key.
 * Contexts are made when first needed: a host of ten thousand sites pays for those that are visited.
 */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { ClientHello } from '#recognise'
import { type TicketKey, type TicketKeySet, ticketKeyIndex } from './ticket-keys.ts'
import type { SiteCertificate } from './types.ts'

/** A certificate that cannot be used: refused when the configuration is read, never during a handshake. */
export class CertificateError extends Error {
  readonly code = 'DIGUE_CERTIFICATE'
}

/** Throws CertificateError when the PEM text is broken or the key is another certificate's. */
export function checkCertificate(site: SiteCertificate): void {
  const name = site.hosts[0] ?? '?'
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(site.certificate)
  } catch (cause) {
    throw new CertificateError(`certificate of ${name}: expected a PEM certificate`, { cause })
  }
  let matches: boolean
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(site.key))
  } catch (cause) {
    throw new CertificateError(`key of ${name}: expected a PEM private key without a passphrase`, { cause })
  }
  if (!matches)
    throw new CertificateError(`key of ${name}: expected the private key of its certificate, got another`)
  try {
    createSecureContext({ cert: site.certificate, key: site.key, ca: [] })
  } catch (cause) {
    throw new CertificateError(`certificate of ${name}: OpenSSL refuses it (${(cause as Error).message})`, {
      cause,
    })
  }
}

/**
 * Forward secrecy and AEAD only; ECDSA before RSA where a client takes both. TLS 1.3 suites come first
 * by themselves; AES-128 is half the work of AES-256 and nobody breaks it.
 */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Seconds a session may be resumed; keys leave after a few rotations anyway. */
const SESSION_SECONDS = 43_200

export class TlsContexts {
  #sites: readonly SiteCertificate[] = []
  #exact = new Map<string, number>()
  #wildcards = new Map<string, number>()
  #fallback = 0
  #keys: TicketKeySet
  /** Per site: the context under the newest key and the one under the key before it. */
  #contexts: [SecureContext | undefined, SecureContext | undefined][] = []

  /** Throws CertificateError when one of the certificates is broken. */
  constructor(sites: readonly SiteCertificate[], keys: TicketKeySet) {
    this.#keys = keys
    this.replace(sites)
  }

  /** All at once or, when one is broken, not at all. Handshakes under way finish with what they began. */
  replace(sites: readonly SiteCertificate[]): void {
    // Those that did not change keep their contexts.
    const kept = new Map(
      this.#sites.map((site, index) => [site.certificate + site.key, this.#contexts[index]!]),
    )
    for (const site of sites) if (!kept.has(site.certificate + site.key)) checkCertificate(site)
    const exact = new Map<string, number>()
    const wildcards = new Map<string, number>()
    let fallback = 0
    sites.forEach((site, index) => {
      for (const host of site.hosts) {
        if (host === '*') fallback = index
        else if (host.startsWith('*.')) wildcards.set(host.slice(1), index)
        else exact.set(host, index)
      }
    })
    this.#contexts = sites.map((site) => kept.get(site.certificate + site.key) ?? [undefined, undefined])
    this.#sites = sites
    this.#exact = exact
    this.#wildcards = wildcards
    this.#fallback = fallback
  }

  setTicketKeys(keys: TicketKeySet): void {
    // After a rotation the contexts of the newest key are those of the one before it.
    const rotated = sameKey(keys.keys[1], this.#keys.keys[0])
    this.#contexts = this.#contexts.map(([newest]) => [undefined, rotated ? newest : undefined])
    this.#keys = keys
  }

  /** Undefined when no site has a certificate. */
  contextFor(hello: ClientHello): SecureContext | undefined {
    const index = this.#siteOf(hello.serverName)
    const site = this.#sites[index]
    const pair = this.#contexts[index]
    if (site === undefined || pair === undefined) return undefined
    const age = ticketAge(hello, this.#keys)
    return (pair[age] ??= createSecureContext({
      cert: site.certificate,
      key: site.key,
      // Without an own list Node loads its bundle of roots: servers that ask for no client certificate need none.
      ca: [],
      minVersion: 'TLSv1.2',
      ciphers: CIPHERS,
      honorCipherOrder: false,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
      sessionTimeout: SESSION_SECONDS,
      sessionIdContext: 'digue',
      ticketKeys: Buffer.from(this.#keys.keys[age]!.bytes),
    }))
  }

  #siteOf(serverName: string): number {
    if (serverName === '') return this.#fallback
    const exact = this.#exact.get(serverName)
    if (exact !== undefined) return exact
    if (this.#wildcards.size > 0) {
      for (let dot = serverName.indexOf('.'); dot >= 0; dot = serverName.indexOf('.', dot + 1)) {
        const index = this.#wildcards.get(serverName.slice(dot))
        if (index !== undefined) return index
      }
    }
    return this.#fallback
  }
}

/** 1 when the hello brings a ticket under the previous key and none under the newest. */
function ticketAge(hello: ClientHello, keys: TicketKeySet): 0 | 1 {
  let age: 0 | 1 = 0
  for (const ticket of hello.tickets) {
    const index = ticketKeyIndex(ticket, keys)
    if (index === 0) return 0
    if (index === 1) age = 1
  }
  return age
}

/** The keys were posted between threads: equal, not identical. */
function sameKey(a: TicketKey | undefined, b: TicketKey | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a.bytes, b.bytes) === 0
}
