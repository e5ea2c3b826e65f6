/** The made-up access log of bench:replay through `digue replay`: what is found, and when, beside what is in it. */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { tempFolder } from '../lib/place.ts'
import { BenchError } from '../lib/processes.ts'
import { type Written, writeLog } from '../replay-log.ts'

const DIGUE = join(import.meta.dirname, '../../src/cli/main.ts')
/** A signature comes so long after its flood at most; the window of who is here now is five seconds. */
const LATE_S = 10

export interface LogRecord {
  readonly lines: number
  /** Seconds after a flood's first line, one for each flood; null when nothing was found in it. */
  readonly foundS: readonly (number | null)[]
  /** Signatures that came in calm weather or with the flash crowd. */
  readonly wrong: readonly string[]
}

interface Replayed {
  readonly sites: readonly {
    readonly incidents: readonly {
      readonly signatures: readonly { readonly firstAtMs: number; readonly reason: string }[]
    }[]
  }[]
}

export async function replayedLog(lines: number): Promise<LogRecord> {
  const folder = tempFolder()
  try {
    const file = join(folder, 'access.log')
    const written = await writeLog(file, { lines, seed: 3 })
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['-C', 'source', DIGUE, 'replay', '--json', file],
      { maxBuffer: 64 * 1024 * 1024 },
    ).catch((error: Error) => {
      throw new BenchError('BENCH_TOOL_FAILED', `digue replay: ${error.message}`)
    })
    return { lines: written.lines, ...compared(JSON.parse(stdout) as Replayed, written.events) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Each signature beside the flood that it came with. */
export function compared(replayed: Replayed, events: Written['events']): Omit<LogRecord, 'lines'> {
  const found = replayed.sites.flatMap(({ incidents }) => incidents.flatMap(({ signatures }) => signatures))
  const floods = events.filter(({ kind }) => kind === 'flood')
  const isWithin = (atS: number, { fromS, toS }: Written['events'][number]) =>
    atS >= fromS && atS <= toS + LATE_S
  return {
    foundS: floods.map((flood) => {
      const times = found.map(({ firstAtMs }) => firstAtMs / 1000).filter((atS) => isWithin(atS, flood))
      return times.length === 0 ? null : Math.min(...times) - flood.fromS
    }),
    wrong: found
      .filter(({ firstAtMs }) => !floods.some((flood) => isWithin(firstAtMs / 1000, flood)))
      .map(({ reason }) => reason),
  }
}
