/** Whether a run was limited by something else than the server under test: the generator, or other programs. */
import { readFileSync } from 'node:fs'
import { percent } from '../lib/table.ts'
import type { RunRecord } from './run.ts'

/** Beyond this the core of load had hardly a moment free. */
const FULL = 0.93
/** Beyond this whatever is measured is also somebody else's doing. */
const DISTURBED = 0.1
const TICK_MS = 10

export function bottleneck(record: Pick<RunRecord, 'loadCpu' | 'othersShare'>): string[] {
  const { visitors, attackers, origin } = record.loadCpu
  const found: string[] = []
  if (visitors + attackers + origin >= FULL)
    found.push(
      `the core of load was full (visitors ${percent(visitors, 0)}, attackers ${percent(attackers, 0)}, origin ${percent(origin, 0)}): times include its own`,
    )
  if (record.othersShare >= DISTURBED)
    found.push(`other programs used ${percent(record.othersShare, 0)} of the cores meanwhile`)
  return found
}

export interface MachineCpu {
  /** CPU milliseconds of all that runs here. */
  readonly busyMs: number
  /** The same with what the cores had free. */
  readonly wholeMs: number
}

/** Zeros where there is no /proc. */
export function machineCpu(): MachineCpu {
  try {
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0] = readFileSync(
      '/proc/stat',
      'latin1',
    )
      .split('\n', 1)[0]!
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number)
    const busyMs = (user + nice + system + irq + softirq) * TICK_MS
    return { busyMs, wholeMs: busyMs + (idle + wait) * TICK_MS }
  } catch {
    return { busyMs: 0, wholeMs: 0 }
  }
}
