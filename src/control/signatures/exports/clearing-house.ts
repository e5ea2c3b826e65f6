/**
 * Signatures as a fingerprint of the DDoS Clearing House (NLADC, `fingerprint_format.md` of its dissector), as DDoS-DB
 * takes them: one JSON object for an attack, with a vector for each signature.
 *
 * What Digue does not measure is left out rather than filled in: packets, megabytes, TCP flags, and the sources, which
 * are relays and personal data. Each vector also carries the signature itself under `digue`.
 */
import { createHash } from 'node:crypto'
import { type Signature, type TraitName, UNFAMILIAR } from '#recognise'
import type { SiteSignaturesStatus } from '../signature-book.ts'

/** An attack is one target's: throws when there are several. */
export function clearingHouse(sites: readonly SiteSignaturesStatus[], nowMs: number): string {
  const attacked = sites.filter(({ published }) => published.length > 0)
  if (attacked.length > 1)
    throw new Error(
      `a fingerprint describes the attack on one site, and ${attacked.length} have signatures; name one with --site`,
    )
  const { site = '', published = [] } = attacked[0] ?? sites[0] ?? {}
  const vectors = published.map((signature) => vectorOf(signature, nowMs))
  const startMs = Math.min(nowMs, ...published.map(({ publishedAtMs }) => publishedAtMs))
  const tags = ['TCP', 'HTTP flood attack', ...(vectors.length > 1 ? ['Multi-vector attack'] : [])]
  const body = {
    attack_vectors: vectors,
    // Whose site it is, is for its operator to tell.
    target: 'Anonymous',
    tags,
    time_start: timeText(startMs),
    time_end: timeText(nowMs),
    duration_seconds: Math.round((nowMs - startMs) / 1000),
  }
  const key = createHash('md5')
    .update(`${site}\n${JSON.stringify(body)}`)
    .digest('hex')
  return `${JSON.stringify({ ...body, key }, undefined, 2)}\n`
}

function vectorOf(signature: Signature, nowMs: number): object {
  const { id, terms, support, baseline, lift, reason, publishedAtMs } = signature
  const has = (trait: TraitName) => terms.find((term) => term.trait === trait)?.value
  // Maps of values to their fractions; "random" is the format's word for no outlier.
  const only = (value: string | undefined) =>
    value === undefined || value === UNFAMILIAR ? 'random' : { [value]: 1 }
  const isPlain = has('tls') === ''
  return {
    service: isPlain ? 'HTTP' : 'HTTPS',
    protocol: 'TCP',
    fraction_of_attack: Number(support.toFixed(3)),
    source_port: 'random',
    destination_ports: { [isPlain ? '80' : '443']: 1 },
    tcp_flags: null,
    time_start: timeText(publishedAtMs),
    duration_seconds: Math.round((nowMs - publishedAtMs) / 1000),
    source_ips: [],
    http_uri: only(has('path')),
    http_method: only(has('method')),
    http_user_agent: only(has('agent')),
    digue: { id, terms, support, baseline, lift, reason },
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '+00:00')
}
