/**
 * Bodies on disk, each in a file named by the SHA-256 of its content: `ab/cdef…`. A file is written under
 * another name first, so that what stands under the right one is whole unless the disk or somebody else
 * altered it; every read checks length and hash.
 *
 * One level of 256 folders: a second one would take 65,536 blocks before the first body.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'

const FOLDERS = 256

export class BodyFiles {
  readonly #directory: string
  readonly #made = new Set<string>()
  #temporary = 0

  constructor(directory: string) {
    this.#directory = directory
  }

  /** Makes the folder; removes what a run that ended suddenly left half written. */
  async open(): Promise<void> {
    await rm(this.#temporaryFolder, { recursive: true, force: true })
    await mkdir(this.#temporaryFolder, { recursive: true, mode: 0o700 })
    this.#made.clear()
  }

  async write(hash: Uint8Array, content: Uint8Array): Promise<void> {
    const { folder, file } = this.#placeOf(hash)
    const temporary = path.join(this.#temporaryFolder, `${this.#temporary++}`)
    try {
      await writeFile(temporary, content, { mode: 0o600 })
      if (!this.#made.has(folder)) await mkdir(folder, { recursive: true, mode: 0o700 })
      this.#made.add(folder)
      await rename(temporary, file)
    } catch (error) {
      // The folder may have been taken away under us.
      this.#made.delete(folder)
      await unlink(temporary).catch(() => {})
      throw error
    }
  }

  /**
   * The content, in shared memory. `missing`: there is no such file; `altered`: it is not what was written.
   * Throws what else the system has against it.
   */
  async read(hash: Uint8Array, bytes: number): Promise<Uint8Array | 'missing' | 'altered'> {
    const content = new Uint8Array(new SharedArrayBuffer(bytes))
    if (bytes > 0) {
      const file = await open(this.#placeOf(hash).file, 'r').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
        throw error
      })
      if (file === undefined) return 'missing'
      try {
        if ((await file.stat()).size !== bytes) return 'altered'
        let read = 0
        while (read < bytes) {
          const { bytesRead } = await file.read(content, read, bytes - read, read)
          if (bytesRead === 0) return 'altered'
          read += bytesRead
        }
      } finally {
        await file.close()
      }
    }
    return Buffer.compare(hashOf(content), hash) === 0 ? content : 'altered'
  }

  async remove(hash: Uint8Array): Promise<void> {
    await rm(this.#placeOf(hash).file, { force: true })
  }

  /** Removes the files of one of the 256 folders that nobody knows; returns how many. */
  async removeStrangers(folder: number, knows: (hash: Uint8Array) => boolean): Promise<number> {
    const name = (folder % FOLDERS).toString(16).padStart(2, '0')
    const names = await readdir(path.join(this.#directory, name)).catch(() => [])
    let removed = 0
    for (const rest of names) {
      if (/^[0-9a-f]{62}$/.test(rest) && knows(Buffer.from(name + rest, 'hex'))) continue
      await rm(path.join(this.#directory, name, rest), { recursive: true, force: true })
      removed++
    }
    return removed
  }

  /** All bodies go. */
  async clear(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true })
  }

  get #temporaryFolder(): string {
    return path.join(this.#directory, 'temporary')
  }

  #placeOf(hash: Uint8Array): { readonly folder: string; readonly file: string } {
    const name = Buffer.from(hash).toString('hex')
    const folder = path.join(this.#directory, name.slice(0, 2))
    return { folder, file: path.join(folder, name.slice(2)) }
  }
}

export function hashOf(content: Uint8Array): Uint8Array {
  return createHash('sha256').update(content).digest()
}
