/** Certificate files: read, checked and watched by the main side, so that a thread never meets a bad one. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { Config } from '#config'
import type { SiteCertificate } from './listen/types.ts'

export class CertificateError extends Error {
  readonly code = 'DIGUE_CERTIFICATE'
}

/** Rejects with a CertificateError that names every fault. */
export async function readCertificates(config: Config): Promise<SiteCertificate[]> {
  const found: SiteCertificate[] = []
  const faults: string[] = []
  for (const [index, site] of config.sites.entries()) {
    if (site.certificate === undefined || site.key === undefined) continue
    try {
      const [certificate, key] = await Promise.all([
        readFile(site.certificate, 'utf8'),
        readFile(site.key, 'utf8'),
      ])
      if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
        throw new Error('the key belongs to another certificate')
      found.push({ hosts: site.hosts, certificate, key })
    } catch (error) {
      faults.push(
        `sites[${index}].certificate: expected a PEM chain and its key in ${site.certificate} and ${site.key}: ${(error as Error).message}`,
      )
    }
  }
  if (faults.length > 0) throw new CertificateError(faults.join('\n'), { cause: faults })
  return found
}

/** Changes when one of the files does. */
export async function certificateStamp(config: Config): Promise<string> {
  const files = config.sites.flatMap((site) =>
    site.certificate === undefined || site.key === undefined ? [] : [site.certificate, site.key],
  )
  const stamps = await Promise.all(
    files.map(async (file) => {
      try {
        const { mtimeMs, size, ino } = await stat(file)
        return `${mtimeMs} ${size} ${ino}`
      } catch {
        return 'absent'
      }
    }),
  )
  return stamps.join('|')
}
