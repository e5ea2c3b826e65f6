/**
 * Certificates for `--self-signed`: made once per set of names, kept in the state directory, so that a
 * browser that was told to trust one is not asked again at each start.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config, SiteConfig } from '#config'
import { selfSigned } from '#edge'

const DAY_MS = 86_400_000

/** `config` with a certificate for each site that has none. */
export function withSelfSigned(config: Config, nowMs: number): Config {
  if (!config.listen.some((listen) => listen.tls)) return config
  const folder = join(config.state, 'self-signed')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    ...config,
    sites: config.sites.map((site) =>
      site.certificate === undefined ? withFiles(site, folder, nowMs) : site,
    ),
  }
}

function withFiles(site: SiteConfig, folder: string, nowMs: number): SiteConfig {
  const name = createHash('sha256').update(site.hosts.join('\n')).digest('hex').slice(0, 16)
  const certificate = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  if (!isGood(certificate, key, nowMs)) {
    const made = selfSigned(site.hosts)
    write(key, made.key)
    write(certificate, made.certificate)
  }
  return { ...site, certificate, key }
}

function isGood(certificate: string, key: string, nowMs: number): boolean {
  try {
    if (!existsSync(certificate)) return false
    const parsed = new X509Certificate(readFileSync(certificate))
    return (
      parsed.validToDate.getTime() > nowMs + DAY_MS &&
      parsed.checkPrivateKey(createPrivateKey(readFileSync(key)))
    )
  } catch {
    return false
  }
}

function write(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
