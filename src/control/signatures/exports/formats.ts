/** The forms in which signatures leave Digue. */
import type { SiteSignaturesStatus } from '../signature-book.ts'
import { clearingHouse } from './clearing-house.ts'
import { haproxyAcls } from './haproxy.ts'
import { nginxMaps } from './nginx.ts'
import { ownRules } from './rules.ts'

export interface SignatureExport {
  readonly name: string
  readonly about: string
  /** The text. Throws what is wrong with the choice of sites. */
  readonly render: (sites: readonly SiteSignaturesStatus[], nowMs: number) => string
}

export const SIGNATURE_EXPORTS: readonly SignatureExport[] = [
  {
    name: 'json',
    about: 'all that is known of them',
    render: (sites, nowMs) =>
      `${JSON.stringify(
        {
          format: 'digue-signatures',
          version: 1,
          exportedAtMs: nowMs,
          sites: sites.map(({ site, published }) => ({ site, signatures: published })),
        },
        undefined,
        2,
      )}\n`,
  },
  { name: 'rules', about: 'rules for Digue’s own configuration', render: ownRules },
  { name: 'nginx', about: 'map blocks', render: nginxMaps },
  { name: 'haproxy', about: 'ACLs', render: haproxyAcls },
  { name: 'ddos-clearing-house', about: 'a fingerprint for DDoS-DB', render: clearingHouse },
]
