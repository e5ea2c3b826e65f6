/**
 * What the operator wrote. The description of a field is its manual: README's reference and the
 * published JSON Schema are made from this file.
 */
import { z } from 'zod'
import { parseDuration, parseSize } from '#kit'

const duration = (fallback: string) =>
  z
    .string()
    .refine((text) => parseDuration(text) !== undefined, 'expected a duration such as "500ms", "10s" or "5m"')
    .default(fallback)
    .transform((text) => parseDuration(text)!)

const size = (fallback: string) =>
  z
    .string()
    .refine((text) => parseSize(text) !== undefined, 'expected a size such as "64kB" or "5MB"')
    .default(fallback)
    .transform((text) => parseSize(text)!)

const whole = z.number().int().positive()
/** Checked by `networks` when the file is read; here only its type. */
const cidr = z.string().min(2).max(64)
const host = z
  .string()
  .max(253)
  .regex(/^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$|^\*$/, 'expected a host name in lower case, "*.name", or "*" for any')

export const listenSchema = z.strictObject({
  address: z.string().default('::').describe('Address to listen on; "::" takes IPv4 too.'),
  port: z.number().int().min(0).max(65535).describe('TCP port.'),
  tls: z.boolean().default(false).describe('HTTPS (HTTP/2 and HTTP/1.1 by ALPN) instead of plain HTTP.'),
  proxyProtocol: z
    .array(cidr)
    .default([])
    .describe('Peers that must begin each connection with a PROXY protocol header (v1 or v2). Others may not send one.'),
})

export const originSchema = z
  .string()
  .regex(/^(https?:\/\/[^/\s]+\/?|unix:\/[^\s]+)$/, 'expected http://host:port, https://host:port or unix:/path')

export const siteSchema = z.strictObject({
  hosts: z.array(host).min(1).describe('Host names of the site; "*.example.org" for all below, "*" for any.'),
  origins: z.array(originSchema).min(1).max(32).describe('Where the site really runs. Several share the load, the unhealthy ones rest.'),
  originHost: z.string().optional().describe('Host sent to the origin; the client’s own by default.'),
  verifyOrigin: z.boolean().default(true).describe('Check the certificate of an https:// origin.'),
  certificate: z.string().optional().describe('PEM file with the certificate chain; read again when it changes.'),
  key: z.string().optional().describe('PEM file with the private key.'),
  redirectToHttps: z.boolean().default(false).describe('Answer plain HTTP with 308 to HTTPS.'),
  acmeChallenge: z.string().default('origin').describe('Where /.well-known/acme-challenge/ is answered: "origin", or a directory.'),
  mode: z.enum(['protect', 'observe']).default('protect').describe('"observe" decides and records, and lets everything pass.'),
  maxInFlight: whole.optional().describe('Never more requests at the origin than this. Found by itself when absent.'),
  maxLongLived: whole.default(4096).describe('Downloads over 2 s, event streams and WebSockets open at once.'),
  healthCheck: z
    .strictObject({
      path: z.string().startsWith('/').describe('Asked on each origin; any answer below 500 is healthy.'),
      every: duration('5s').describe('Time between two checks.'),
    })
    .optional()
    .describe('Active check of each origin. Without it an origin rests after failures of its own.'),
  bodyBytes: size('5GB').describe('Largest request body.'),
  originTimeout: duration('60s').describe('Longest wait for the first byte of the origin’s answer.'),
})

export const limitsSchema = z
  .strictObject({
    headBytes: size('32kB').describe('Largest request head.'),
    headTimeout: duration('10s').describe('Time for a complete request head.'),
    idleTimeout: duration('60s').describe('Time a connection may be idle between requests.'),
    minBytesPerSecond: whole.default(500).describe('Slowest pace for sending a body or reading an answer, after 5 s of grace.'),
    connections: z.union([whole, z.literal('auto')]).default('auto').describe('Open client connections in all; "auto" sizes it by the descriptor limit.'),
    handshakeShare: z.number().gt(0).max(1).default(0.6).describe('Share of an edge thread’s CPU that new TLS handshakes may take.'),
    streams: whole.default(100).describe('Concurrent HTTP/2 streams per connection.'),
  })
  .prefault({})

export const configSchema = z.strictObject({
  state: z.string().default('state').describe('Directory for what is kept over restarts.'),
  threads: z.union([whole.max(256), z.literal('auto')]).default('auto').describe('Edge threads; "auto" is one per core.'),
  listen: z.array(listenSchema).min(1).max(64).default([{ address: '::', port: 8080, tls: false, proxyProtocol: [] }]),
  trustedProxies: z.array(cidr).max(4096).default([]).describe('Proxies and CDNs in front of Digue whose forwarding fields are believed.'),
  networks: z.string().optional().describe('CSV ("first,last,asn,name" or "cidr,asn,name") or mmdb of networks; the bundled table otherwise.'),
  limits: limitsSchema,
  admin: z
    .strictObject({
      metrics: z.string().default('127.0.0.1:9180').describe('Loopback address and port of /metrics; "off" for none.'),
      socket: z.string().default('digue.sock').describe('Unix socket for commands (mode 0600), relative to the state directory.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      requests: z.enum(['all', 'mitigated', 'none']).default('mitigated').describe('Which requests get a JSON line.'),
      perSecond: whole.default(100).describe('Request lines per second; beyond it lines are sampled and the number left out is stated.'),
      access: z.string().optional().describe('File for an access log in combined format.'),
    })
    .prefault({}),
  sites: z.array(siteSchema).min(1).max(10_000),
})

export type Config = z.output<typeof configSchema>
export type SiteConfig = z.output<typeof siteSchema>
export type ListenConfig = z.output<typeof listenSchema>
export type LimitsConfig = z.output<typeof limitsSchema>
