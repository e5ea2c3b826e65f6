/**
 * Digue with its defaults and one edge thread: nothing is tuned for a scenario; only the difficulty of the
 * puzzle is the bench's, and the secret that signs tokens is known to it. What is measured is what
 * `npm pack` ships: running from source keeps some 30 MB more for stripping types.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../lib/ports.ts'
import { BenchError, Child, listening } from '../lib/processes.ts'
import { BENCH_BITS } from '../load/puzzle.ts'
import { writeMaster } from '../load/tokens.ts'
import type { Peer, PeerPlace, Variant } from './peer.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Digue's command as installed; `build` makes it. */
export const DIGUE = [process.execPath, join(ROOT, 'dist/cli/main.js')] as const

let isBuilt = false
export function build(): void {
  if (isBuilt) return
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (status !== 0) throw new BenchError('BENCH_NO_BUILD', `npm run build failed:\n${stdout}${stderr}`)
  isBuilt = true
}

export interface RunningDigue {
  readonly port: number
  readonly tlsPort: number
  readonly metricsPort: number
  readonly folder: string
  readonly child: Child
  pids(): number[]
  stop(): Promise<void>
}

/** YAML is a superset of JSON: the configuration is written as JSON. */
export function digueConfig(place: PeerPlace, metricsPort: number, extra: object = {}): string {
  const tls = place.tlsPort > 0
  return JSON.stringify(
    {
      state: place.folder,
      threads: 1,
      listen: [
        { address: '127.0.0.1', port: place.port },
        ...(tls ? [{ address: '127.0.0.1', port: place.tlsPort, tls: true }] : []),
      ],
      networks: place.networksFile,
      admin: { metrics: `127.0.0.1:${metricsPort}` },
      log: { requests: 'none' },
      ...(place.forwardedFor ? { trustedProxies: ['127.0.0.1/32'] } : {}),
      sites: [
        {
          hosts: ['*'],
          origins: [`http://127.0.0.1:${place.originPort}`],
          // Parts are solved for real, at a difficulty that one core of load can play: see load/effort.ts.
          challenge: { bits: BENCH_BITS },
          ...(tls ? { certificate: place.certFile, key: place.keyFile } : {}),
        },
      ],
      ...extra,
    },
    undefined,
    2,
  )
}

export async function startDigue(
  place: PeerPlace,
  variant: Variant,
  extra: object = {},
  /** A module that is loaded into it first. */
  preload?: string,
): Promise<RunningDigue> {
  build()
  const [metricsPort] = (await freePorts(1)) as [number]
  const file = join(place.folder, 'digue.yaml')
  writeMaster(place.folder)
  writeFileSync(file, digueConfig(place, metricsPort, extra))
  const baseline = variant.settings['baseline'] ? ['--baseline-from', place.baselineFile] : []
  const [node, program] = DIGUE
  const command = preload === undefined ? [node, program] : [node, '--import', preload, program]
  const child = new Child('digue', [...command, 'run', '--config', file, ...baseline], {
    core: place.core,
    cwd: ROOT,
  })
  await listening(child, place.port)
  return {
    port: place.port,
    tlsPort: place.tlsPort,
    metricsPort,
    folder: place.folder,
    child,
    pids: () => child.pids(),
    stop: () => child.stop(),
  }
}

export const digue: Peer = {
  name: 'digue',
  variants: [{ label: '', settings: {} }],
  needs: {},
  start: (place, variant) => startDigue(place, variant),
}

export const digueWithBaseline: Peer = {
  name: 'digue --baseline-from',
  variants: [{ label: '', settings: { baseline: true } }],
  needs: {},
  start: (place, variant) => startDigue(place, variant),
}
