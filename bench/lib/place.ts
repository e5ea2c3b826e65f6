/** The folder, files and ports that a server under test is started with; removed when the bench ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accessLog, networksCsv } from '../load/networks.ts'
import type { PeerPlace } from '../peers/peer.ts'
import { certificate } from './certificate.ts'
import { freePorts } from './ports.ts'
import { CORES } from './processes.ts'

const folders = new Set<string>()
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'digue-bench-'))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  folders.delete(folder)
  rmSync(folder, { recursive: true, force: true })
}

export interface PlaceOptions {
  readonly originPort: number
  readonly originTlsPort?: number
  readonly tls?: ReturnType<typeof certificate>
  readonly forwardedFor?: boolean
  /** Addresses of a past access log, for `--baseline-from`. */
  readonly regulars?: readonly string[]
}

export async function makePlace(options: PlaceOptions): Promise<PeerPlace> {
  const folder = tempFolder()
  const tls = options.tls ?? certificate()
  const [port, tlsPort] = (await freePorts(2)) as [number, number]
  const place: PeerPlace = {
    folder,
    originPort: options.originPort,
    originTlsPort: options.originTlsPort ?? 0,
    port,
    tlsPort,
    certFile: join(folder, 'cert.pem'),
    keyFile: join(folder, 'key.pem'),
    networksFile: join(folder, 'networks.csv'),
    baselineFile: join(folder, 'access.log'),
    forwardedFor: options.forwardedFor ?? false,
    core: CORES?.server,
  }
  writeFileSync(place.certFile, tls.cert)
  writeFileSync(place.keyFile, tls.key, { mode: 0o600 })
  writeFileSync(place.networksFile, networksCsv())
  if (options.regulars)
    writeFileSync(place.baselineFile, accessLog(options.regulars, 20_000, Date.now() - 3_600_000))
  return place
}
