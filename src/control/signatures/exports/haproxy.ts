/** Signatures as HAProxy ACLs, for a frontend. Needs HAProxy 2.2 (`pathq`). */
import type { SiteSignaturesStatus } from '../signature-book.ts'
import { type Condition, type ConditionField, portable, remark } from './condition.ts'

const FIELDS: Readonly<Partial<Record<ConditionField, string>>> = {
  agent: 'user-agent',
  language: 'accept-language',
  referrer: 'referer',
  cookie: 'cookie',
}

export function haproxyAcls(sites: readonly SiteSignaturesStatus[], nowMs: number): string {
  const lines = [
    `# Signatures exported by Digue at ${new Date(nowMs).toISOString()}. Put this into the frontend.`,
    '# txn.digue_signature is then the id of the signature that fits, for instance:',
    '#   http-request return status 503 if { var(txn.digue_signature) -m found }',
    '# They describe a flood, not an evil: take them out when it is over.',
  ]
  const written = new Set<string>()
  for (const { site, published } of sites) {
    lines.push('', `# ${remark(site)}`)
    for (const signature of published) {
      const { id, reason } = signature
      const one = portable(signature)
      lines.push(`# ${id}: ${remark(reason)}`)
      if ('why' in one) {
        lines.push(`#   not exported, for HAProxy would hit more people: ${remark(one.why)}`)
        continue
      }
      // The same handwriting on two sites is one set of ACLs.
      if (!written.has(id))
        for (const [i, condition] of one.conditions.entries())
          lines.push(...aclOf(condition, `digue_${id}_${i + 1}`))
      written.add(id)
      const all = one.conditions.map((_, i) => `digue_${id}_${i + 1}`).join(' ')
      lines.push(`http-request set-var(txn.digue_signature) str(${id}) if ${hostIs(site)} ${all}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function aclOf({ field, pattern, ignoreCase }: Condition, name: string): string[] {
  if (field === 'tls') return [`acl ${name} ssl_fc,not -m bool`]
  if (field === 'h2') return [`acl ${name} fc_http_major lt 2`]
  const header = FIELDS[field]
  const flags = `${ignoreCase ? '-i ' : ''}-m reg`
  if (header === undefined)
    return [`acl ${name} ${field === 'method' ? 'method' : 'pathq'} ${flags} -- '${pattern}'`]
  // Two lines of one name: either. Absent, or there and empty.
  if (pattern === undefined)
    return [`acl ${name} req.fhdr_cnt(${header}) eq 0`, `acl ${name} req.fhdr(${header}) -m len 0`]
  return [`acl ${name} req.fhdr(${header}) ${flags} -- '${pattern}'`]
}

/** Only the site's first name is known here: on its others the signature is not applied. */
function hostIs(site: string): string {
  const name = site.toLowerCase().replace(/[^a-z0-9.-]/g, '')
  return site.startsWith('*')
    ? `{ req.hdr(host),field(1,:),lower -m end ${name} }`
    : `{ req.hdr(host),field(1,:),lower -m str ${name} }`
}
