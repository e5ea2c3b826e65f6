/** How a generator process is started: with the sources of `src/`, whether they are built or not. */
import { join } from 'node:path'

export const LOAD_PROCESS: readonly string[] = [
  process.execPath,
  '-C',
  'source',
  join(import.meta.dirname, 'worker.ts'),
]
