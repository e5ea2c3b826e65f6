/**
 * A self-signed certificate for trying HTTPS out (`--self-signed`): ECDSA P-256, X.509 v3 (RFC 5280).
 *
 * Node signs and makes keys but writes no certificates; the DER of one certificate is the sixty lines
 * below, against five packages for `selfsigned` or `@peculiar/x509`: docs/decisions/dependencies.md.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import type { SiteCertificate } from './types.ts'

/** One TLV: tag, length in the shortest form, content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const n = content.length
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
const utf8 = (text: string) => der(0x0c, Buffer.from(text))
const octets = (...parts: Buffer[]) => der(0x04, ...parts)
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const explicit = (tag: number, ...parts: Buffer[]) => der(0xa0 | tag, ...parts)
const TRUE = Buffer.from([0x01, 0x01, 0xff])
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
const COMMON_NAME = oid('550403')

/** GeneralizedTime would be wrong before 2050 (RFC 5280 §4.1.2.5). */
function utcTime(ms: number): Buffer {
  return der(0x17, Buffer.from(new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14).concat('Z')))
}

function altName(host: string): Buffer {
  if (isIP(host) === 4) return der(0x87, Buffer.from(host.split('.').map(Number)))
  return der(0x82, Buffer.from(host, 'latin1'))
}

/** Valid for `days` from yesterday on. `hosts` may hold names, wildcards and IPv4 addresses. */
export function selfSigned(hosts: readonly string[], days = 30, nowMs: number = Date.now()): SiteCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = sequence(der(0x31, sequence(COMMON_NAME, utf8('Digue, self-signed'))))
  const serial = randomBytes(16)
  // Positive, and not beginning with a zero byte.
  serial[0] = (serial[0]! & 0x3f) | 0x40
  const names = [...new Set([...hosts.filter((host) => host !== '*'), 'localhost', '127.0.0.1'])]
  const extensions = sequence(
    sequence(oid('551d13'), TRUE, octets(sequence())),
    sequence(oid('551d0f'), TRUE, octets(Buffer.from([0x03, 0x02, 0x07, 0x80]))),
    sequence(oid('551d25'), octets(sequence(oid('2b06010505070301')))),
    sequence(oid('551d11'), octets(sequence(...names.map(altName)))),
  )
  const signed = sequence(
    explicit(0, Buffer.from([0x02, 0x01, 0x02])),
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    name,
    sequence(utcTime(nowMs - 86_400_000), utcTime(nowMs + days * 86_400_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, extensions),
  )
  const signature = sign('sha256', signed, privateKey)
  const certificate = sequence(signed, ECDSA_WITH_SHA256, der(0x03, Buffer.from([0]), signature))
  // PEM lines hold 64 characters; an empty one would end the certificate.
  const lines = certificate.toString('base64').match(/.{1,64}/g)!
  return {
    hosts,
    certificate: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}
