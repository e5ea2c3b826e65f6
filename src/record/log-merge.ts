/**
 * Several logs as one, by time.
 *
 * A k-way merge: of all files' next lines the earliest goes first. It orders files among each other and keeps each
 * file's own order; lines that a server wrote a little late are for whoever holds a window open. A file that is
 * not in order at all goes through `sortLog` first.
 */
import { Heap } from '#kit'
import type { LogLine } from './log-line.ts'
import type { LogReader } from './log-reader.ts'

export interface MergeOptions {
  readonly signal?: AbortSignal
  /** Called whenever more was read from one of them. */
  readonly onRead?: (reader: LogReader) => void
}

/** Hands over every line once; it holds until `onLine` returns. Does not close the readers. */
export async function mergeLogs(
  readers: readonly LogReader[],
  onLine: (line: LogLine, reader: LogReader) => void,
  options: MergeOptions = {},
): Promise<void> {
  const heap = new Heap<LogReader>(() => {})
  const step = async (reader: LogReader): Promise<boolean> => {
    while (!reader.next()) {
      options.signal?.throwIfAborted()
      if (!(await reader.fill())) return false
      options.onRead?.(reader)
    }
    return true
  }
  for (const reader of readers) if (await step(reader)) heap.push(reader, reader.line.atMs)
  for (let reader = heap.peek(); reader !== undefined; reader = heap.peek()) {
    onLine(reader.line, reader)
    // Without a promise for each line: most are in what has been read.
    if (reader.next() || (await step(reader))) heap.update(0, reader.line.atMs)
    else heap.removeAt(0)
  }
}
