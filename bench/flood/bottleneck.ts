/** Whether the generator and not the server under test was what a run was limited by. */
import { percent } from '../lib/table.ts'
import type { RunRecord } from './run.ts'

/** Beyond this the core of load had hardly a moment free. */
const FULL = 0.93

export function bottleneck(record: Pick<RunRecord, 'loadCpu'>): string | undefined {
  const { visitors, attackers, origin } = record.loadCpu
  const sum = visitors + attackers + origin
  return sum < FULL
    ? undefined
    : `the core of load was full (visitors ${percent(visitors, 0)}, attackers ${percent(attackers, 0)}, origin ${percent(origin, 0)}): times include its own`
}
