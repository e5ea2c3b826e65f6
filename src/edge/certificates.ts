/** Certificate files: read, checked and watched by the main side, so that a thread never meets a bad one. */
import { readFile, stat } from 'node:fs/promises'
import type { Config } from '#config'
import { CertificateError, checkCertificate } from './listen/tls-contexts.ts'
import type { SiteCertificate } from './listen/types.ts'

interface Read {
  /** In the order of the configuration. A broken one is the one `inForce`, if there was one. */
  readonly certificates: readonly SiteCertificate[]
  readonly faults: readonly string[]
  /** Some differ from those in force. */
  readonly changed: boolean
}

/** Rejects with a CertificateError that names every fault. */
export async function readCertificates(config: Config): Promise<readonly SiteCertificate[]> {
  const { certificates, faults } = await renewCertificates(config, [])
  if (faults.length > 0) throw new CertificateError(faults.join('\n'), { cause: faults })
  return certificates
}

/**
 * Reads again what was read as `inForce`. A pair that is broken (between the two files of a renewal, for
 * one) leaves its site's old certificate where it is and holds back nobody else's.
 */
export async function renewCertificates(config: Config, inForce: readonly SiteCertificate[]): Promise<Read> {
  const certificates: SiteCertificate[] = []
  const faults: string[] = []
  let changed = false
  for (const [index, site] of config.sites.entries()) {
    if (site.certificate === undefined || site.key === undefined) continue
    const before = inForce.find((one) => one.hosts[0] === site.hosts[0])
    try {
      const [certificate, key] = await Promise.all([
        readFile(site.certificate, 'utf8'),
        readFile(site.key, 'utf8'),
      ])
      const read = { hosts: site.hosts, certificate, key }
      if (before?.certificate !== certificate || before.key !== key) {
        checkCertificate(read)
        changed = true
      }
      certificates.push(read)
    } catch (error) {
      if (before !== undefined) certificates.push(before)
      faults.push(
        `sites[${index}].certificate: expected a PEM chain and its key in ${site.certificate} and ${site.key}: ${(error as Error).message}`,
      )
    }
  }
  return { certificates, faults, changed }
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
