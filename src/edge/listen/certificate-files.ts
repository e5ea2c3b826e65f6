/**
 * Certificates as files that somebody else renews: read by the main side, posted to the threads.
 *
 * Renewal tools replace two files, one after the other. Between the two the key does not fit the
 * certificate, and a file may be half written; so what is read must be whole before it replaces what
 * is in force, and anything else is reported and looked at again at the next turn. Polled by
 * modification time, size and inode: fs.watch loses sight of a file that is replaced by rename, and
 * of whatever a symbolic link (certbot's `live/`) points to.
 */
import { readFile, stat } from 'node:fs/promises'
import { CertificateError, checkCertificate } from './tls-contexts.ts'
import type { ListenEvent, SiteCertificate } from './types.ts'

export interface CertificateFiles {
  readonly hosts: readonly string[]
  readonly certificate: string
  readonly key: string
}

/** Reads and checks all. Throws CertificateError naming the first file that cannot be used. */
export async function readCertificates(files: readonly CertificateFiles[]): Promise<SiteCertificate[]> {
  return await Promise.all(files.map(readOne))
}

async function readOne(files: CertificateFiles): Promise<SiteCertificate> {
  const [certificate, key] = await Promise.all([readText(files.certificate), readText(files.key)])
  const site = { hosts: files.hosts, certificate, key }
  checkCertificate(site)
  return site
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1')
  } catch (cause) {
    throw new CertificateError(`${file}: ${(cause as Error).message}`, { cause })
  }
}

export interface CertificateWatch {
  /** Looks now; the timer calls it too. */
  look(): Promise<void>
  stop(): void
}

export interface CertificateWatchOptions {
  /** All certificates, when at least one has changed: for `Listeners.reload`. */
  readonly onChange: (certificates: readonly SiteCertificate[]) => void
  readonly onEvent: (event: ListenEvent) => void
  readonly everyMs?: number
}

/** Watches files that were read as `current`. */
export function watchCertificates(
  files: readonly CertificateFiles[],
  current: readonly SiteCertificate[],
  options: CertificateWatchOptions,
): CertificateWatch {
  const inForce = [...current]
  /** What was last looked at, broken or not: a broken pair is reported once. */
  const seen: string[] = []
  const look = async (): Promise<void> => {
    let changed = false
    for (const [index, pair] of files.entries()) {
      const mark = `${await markOf(pair.certificate)} ${await markOf(pair.key)}`
      if (mark === seen[index]) continue
      seen[index] = mark
      try {
        const site = await readOne(pair)
        const before = inForce[index]
        if (before?.certificate === site.certificate && before.key === site.key) continue
        inForce[index] = site
        changed = true
        options.onEvent({
          level: 'info',
          code: 'certificate-changed',
          message: `certificate of ${pair.hosts[0]} read again`,
        })
      } catch (error) {
        const message = `${(error as Error).message}; the one read before stays in force`
        options.onEvent({ level: 'error', code: 'certificate-broken', message })
      }
    }
    if (changed) options.onChange([...inForce])
  }
  let running: Promise<void> | undefined
  const turn = (): Promise<void> => {
    running ??= look().finally(() => {
      running = undefined
    })
    return running
  }
  const timer = setInterval(() => void turn(), options.everyMs ?? 10_000)
  timer.unref()
  return { look: turn, stop: () => clearInterval(timer) }
}

/** Follows links. A file that is gone has a mark too. */
async function markOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file)
    return `${mtimeMs}:${size}:${ino}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unreadable'
  }
}
