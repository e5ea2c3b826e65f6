/**
 * What the brain keeps over restarts: one JSON file, replaced as a whole.
 *
 * Written to a neighbour file, synced, and renamed: after a crash there is the old state or the new.
 * A checksum tells a damaged file from a good one. Nothing here ever throws, for no fault of the disk
 * may stop serving: a file that cannot be read, or is not ours, is left as it is and recording stops
 * (`fault` says why); a write that fails is counted and tried again the next time.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'

const FORMAT = 'digue-state'
const VERSION = 1
/** Ten sites' full baselines are 30 MB. */
const MAX_BYTES = 512 * 1024 * 1024

interface Envelope {
  readonly format: typeof FORMAT
  readonly version: number
  readonly sha256: string
  readonly state: unknown
}

export class StateFile {
  readonly path: string
  /** Why nothing is recorded; '' while all is well. */
  fault = ''
  /** Writes that failed since the start. */
  failures = 0
  #stopped = false
  #writing: Promise<boolean> | undefined

  constructor(file: string) {
    this.path = file
  }

  /** What was kept; undefined when there is nothing, or nothing that can be read (see `fault`). */
  async read(): Promise<unknown> {
    let text: string
    try {
      const file = await open(this.path)
      try {
        const { size } = await file.stat()
        if (size > MAX_BYTES)
          return this.#stop(`${this.path}: expected at most ${MAX_BYTES} bytes, got ${size}`)
        text = await file.readFile('utf8')
      } finally {
        await file.close()
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      return code === 'ENOENT' ? undefined : this.#stop(`${this.path}: ${message}`)
    }
    try {
      const { format, version, sha256, state } = JSON.parse(text) as Partial<Envelope>
      if (format !== FORMAT) return this.#stop(`${this.path}: not a state of Digue`)
      if (version !== VERSION) return this.#stop(`${this.path}: expected version ${VERSION}, got ${version}`)
      if (sha256 !== digest(state)) return this.#stop(`${this.path}: damaged, its checksum does not fit`)
      return state
    } catch {
      return this.#stop(`${this.path}: damaged, not JSON`)
    }
  }

  /** Replaces what is kept; false when it could not. A write in progress is waited for, not doubled. */
  async write(state: unknown): Promise<boolean> {
    if (this.#stopped) return false
    while (this.#writing) await this.#writing
    this.#writing = this.#replace(state)
    try {
      return await this.#writing
    } finally {
      this.#writing = undefined
    }
  }

  async #replace(state: unknown): Promise<boolean> {
    const draft = `${this.path}.new`
    try {
      await mkdir(path.dirname(this.path), { recursive: true })
      const body = JSON.stringify(state)
      const envelope = `{"format":"${FORMAT}","version":${VERSION},"sha256":"${sha(body)}","state":${body}}\n`
      const file = await open(draft, 'w', 0o600)
      try {
        await file.writeFile(envelope)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, this.path)
      this.fault = ''
      return true
    } catch (error) {
      this.failures++
      this.fault = `${this.path}: ${(error as Error).message}`
      await rm(draft, { force: true }).catch(() => {})
      return false
    }
  }

  #stop(fault: string): undefined {
    this.fault = `${fault}. Nothing is recorded until it is repaired or removed and Digue is started again.`
    this.#stopped = true
    return undefined
  }
}

/** JSON.parse keeps the order of keys, so the text of a state read back is the text that was written. */
function digest(state: unknown): string {
  return sha(JSON.stringify(state) ?? '')
}

function sha(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
