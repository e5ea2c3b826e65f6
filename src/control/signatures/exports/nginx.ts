/** Signatures as nginx `map` blocks, to be included in `http`. Needs nginx 1.11.2 (maps of several variables) and PCRE. */
import type { SiteSignaturesStatus } from '../signature-book.ts'
import { type Condition, type ConditionField, identifier, portable, remark } from './condition.ts'

const VARIABLES: Readonly<Record<ConditionField, string>> = {
  agent: '$http_user_agent',
  target: '$request_uri',
  method: '$request_method',
  language: '$http_accept_language',
  referrer: '$http_referer',
  cookie: '$http_cookie',
  tls: '$https',
  h2: '$http2',
}

export function nginxMaps(sites: readonly SiteSignaturesStatus[], nowMs: number): string {
  const lines = [
    `# Signatures exported by Digue at ${new Date(nowMs).toISOString()}. Include this in http { }.`,
    '# In the server block of a site its variable is the id of the signature that fits, or empty:',
    '#   if ($digue_signature_www_example_org) { return 503; }',
    '# They describe a flood, not an evil: take them out when it is over.',
  ]
  const written = new Set<string>()
  for (const { site, published } of sites) {
    lines.push('', `# ${remark(site)}`)
    const whole: string[] = []
    for (const signature of published) {
      const { id, reason } = signature
      const one = portable(signature)
      lines.push(`# ${id}: ${remark(reason)}`)
      if ('why' in one) {
        lines.push(`#   not exported, for nginx would hit more people: ${remark(one.why)}`)
        continue
      }
      whole.push(id)
      // The same handwriting on two sites is one set of maps.
      if (written.has(id)) continue
      written.add(id)
      for (const [i, condition] of one.conditions.entries())
        lines.push(mapOf(condition, `$digue_${id}_${i + 1}`))
      const all = one.conditions.map((_, i) => `\${digue_${id}_${i + 1}}`).join('')
      lines.push(`map "${all}" $digue_${id} { default 0; "${'1'.repeat(one.conditions.length)}" 1; }`)
    }
    const variable = `$digue_signature_${identifier(site)}`
    if (whole.length === 0) {
      lines.push(`map "" ${variable} { default ""; }`)
      continue
    }
    const all = whole.map((id) => `\${digue_${id}}`).join('')
    // The first that fits: nginx takes regular expressions in their order.
    const rows = whole.map((id, i) => `"~^${'.'.repeat(i)}1" "${id}";`)
    lines.push(`map "${all}" ${variable} { default ""; ${rows.join(' ')} }`)
  }
  return `${lines.join('\n')}\n`
}

function mapOf({ field, pattern, ignoreCase }: Condition, variable: string): string {
  const key = pattern === undefined ? '""' : `"~${ignoreCase ? '*' : ''}${pattern}"`
  return `map ${VARIABLES[field]} ${variable} { default 0; ${key} 1; }`
}
