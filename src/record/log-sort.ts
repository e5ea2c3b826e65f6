/**
 * Puts a log in order that is in none: newest first, or several servers' logs behind each other.
 *
 * External merge sort (Knuth, vol. 3, 5.4.1): as many lines as fit are sorted in memory and written as a run, runs
 * are merged like so many files. Memory is one run, 48 MB; the disk must have room for the log, unpacked.
 * Whether it is needed is found by looking at the times in 64 places of a file; a pipe or a packed file cannot
 * be looked at, so there the operator says so.
 */

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { LONGEST_LINE, LogReader, type LogReaderOptions } from './log-reader.ts'

const RUN_BYTES = 48 << 20
const PLACES = 64
const PLACE_BYTES = 16_384
/** Servers write a request when it ends, some with the time at which it began. */
const TOLERATED_MS = 120_000

/** Whether a plain file's lines are roughly in the order of time, as far as 64 places in it tell. */
export async function looksSorted(file: string, options: LogReaderOptions = {}): Promise<boolean> {
  const handle = await open(file)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) return true
    const step = Math.max(PLACE_BYTES, Math.floor(stat.size / PLACES))
    const buffer = Buffer.alloc(PLACE_BYTES)
    let latestMs = Number.NEGATIVE_INFINITY
    for (let at = 0; at < stat.size; at += step) {
      const { bytesRead } = await handle.read(buffer, 0, PLACE_BYTES, at)
      const first = at === 0 ? 0 : buffer.indexOf(10) + 1
      const times = await timesIn(buffer.subarray(first, bytesRead), options)
      for (const atMs of times) {
        if (atMs < latestMs - TOLERATED_MS) return false
        if (atMs > latestMs) latestMs = atMs
      }
    }
    return true
  } finally {
    await handle.close()
  }
}

async function timesIn(bytes: Buffer, options: LogReaderOptions): Promise<number[]> {
  let isRead = false
  const reader = new LogReader(
    '',
    {
      readBytes: 0,
      sizeBytes: bytes.length,
      async read(buffer, offset) {
        if (isRead) return 0
        isRead = true
        return bytes.copy(buffer, offset)
      },
      async close() {},
    },
    { ...options, bufferBytes: 2 * LONGEST_LINE },
  )
  const times: number[] = []
  while (await reader.fill()) while (reader.next()) times.push(reader.line.atMs)
  return times
}

export interface SortedLog {
  /** To be merged, and closed. */
  readonly runs: readonly LogReader[]
  /** Removes what was written. */
  remove(): Promise<void>
}

/**
 * Reads `reader` to its end and gives its good lines in order; what `reader` counted stays with it. `folder` is
 * where a folder for the runs is made. Rejects when they cannot be written.
 */
export async function sortLog(
  reader: LogReader,
  folder: string,
  options: LogReaderOptions & { readonly signal?: AbortSignal; readonly onRead?: () => void } = {},
): Promise<SortedLog> {
  // Only its owner may look into it: mkdtemp makes it so.
  const place = await mkdtemp(path.join(folder, 'digue-sort-'))
  const remove = () => rm(place, { recursive: true, force: true })
  try {
    const files: string[] = []
    const run = new Run()
    const flush = async () => {
      const file = path.join(place, `${files.length}.log`)
      await run.write(file)
      files.push(file)
    }
    do {
      while (reader.next()) if (run.add(reader)) await flush()
      options.signal?.throwIfAborted()
      options.onRead?.()
    } while (await reader.fill())
    if (run.size > 0) await flush()
    const runs: LogReader[] = []
    for (const file of files)
      runs.push(await LogReader.open(file, { ...options, bufferBytes: 2 * LONGEST_LINE }))
    return { runs, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

class Run {
  readonly #bytes = Buffer.allocUnsafe(RUN_BYTES + LONGEST_LINE + 1)
  #used = 0
  #atMs: number[] = []
  #ends: number[] = []

  get size(): number {
    return this.#ends.length
  }

  /** True when the run is full. */
  add(reader: LogReader): boolean {
    this.#used += reader.copyRaw(this.#bytes, this.#used)
    this.#atMs.push(reader.line.atMs)
    this.#ends.push(this.#used)
    return this.#used >= RUN_BYTES
  }

  async write(file: string): Promise<void> {
    const order = Uint32Array.from(this.#atMs.keys())
    order.sort((a, b) => this.#atMs[a]! - this.#atMs[b]! || a - b)
    const out = createWriteStream(file, { mode: 0o600, highWaterMark: 1 << 20 })
    for (const i of order) {
      const line = this.#bytes.subarray(i === 0 ? 0 : this.#ends[i - 1]!, this.#ends[i]!)
      if (!out.write(line)) await once(out, 'drain')
    }
    out.end()
    await once(out, 'close')
    this.#used = 0
    this.#atMs = []
    this.#ends = []
  }
}
