/**
 * What survives a restart: the last good copy of each list from a URL, and what was known of each list.
 *
 * `NAME.list` holds the bytes as they came, `NAME.json` where they came from with a checksum. Both are
 * replaced by renaming, the bytes first: after a crash between them the checksum does not fit, and the copy
 * counts as none. Nothing here throws: without copies a list begins anew.
 */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Validators } from './download.ts'
import { MOST_BYTES } from './read-list.ts'

export interface KeptContent {
  readonly url: string
  readonly sha256: string
  readonly validators: Validators
  readonly fetchedAtMs: number
}

/** What calm weather said of a list. */
export interface KeptVerdict {
  readonly share: number
  readonly clients: number
  readonly networks: number
  readonly atMs: number
}

export interface KeptList {
  readonly content?: KeptContent
  readonly verdict?: KeptVerdict
  /** The share that the operator accepted. */
  readonly releasedShare?: number
}

const MOST_META_BYTES = 65_536
const LEFTOVER = /^[a-z0-9-]{1,40}\.(?:\d+|json)\.new$/

export class KeptCopies {
  readonly folder: string
  #drafts = 0

  constructor(folder: string) {
    this.folder = folder
  }

  /** Where a download may be put until it is kept: a new place each time, for two may be under way. */
  newDraft(name: string): string {
    return join(this.folder, `${name}.${this.#drafts++}.new`)
  }

  async dropDraft(draft: string): Promise<void> {
    await rm(draft, { force: true }).catch(() => {})
  }

  /** Makes the folder, without what a crash left behind. */
  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 }).catch(() => {})
    for (const entry of await readdir(this.folder).catch(() => []))
      if (LEFTOVER.test(entry)) await this.dropDraft(join(this.folder, entry))
  }

  async read(name: string): Promise<KeptList> {
    try {
      const path = join(this.folder, `${name}.json`)
      if ((await stat(path)).size > MOST_META_BYTES) return {}
      return keptOf(JSON.parse(await readFile(path, 'utf8')))
    } catch {
      return {}
    }
  }

  /** The bytes that `content` tells of; undefined when they are not there, or not as they were. */
  async bytes(name: string, content: KeptContent): Promise<Buffer | undefined> {
    try {
      const path = join(this.folder, `${name}.list`)
      if ((await stat(path)).size > MOST_BYTES) return undefined
      const bytes = await readFile(path)
      return createHash('sha256').update(bytes).digest('hex') === content.sha256 ? bytes : undefined
    } catch {
      return undefined
    }
  }

  /** False when the disk does not take it. */
  async keepBytes(name: string, draft: string): Promise<boolean> {
    return rename(draft, join(this.folder, `${name}.list`)).then(
      () => true,
      () => false,
    )
  }

  /** The same for bytes that waited in memory. */
  async writeBytes(name: string, bytes: Buffer): Promise<boolean> {
    const draft = this.newDraft(name)
    return writeFile(draft, bytes, { mode: 0o600 }).then(
      () => this.keepBytes(name, draft),
      () => false,
    )
  }

  async write(name: string, kept: KeptList): Promise<boolean> {
    const path = join(this.folder, `${name}.json`)
    const draft = `${path}.new`
    try {
      const file = await open(draft, 'w', 0o600)
      try {
        await file.writeFile(`${JSON.stringify(kept)}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, path)
      return true
    } catch {
      await rm(draft, { force: true }).catch(() => {})
      return false
    }
  }

  /** Removes what is kept of lists that are no more. */
  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    const entries = await readdir(this.folder).catch(() => [])
    for (const entry of entries) {
      const name = /^([a-z0-9-]{1,40})\.(?:list|json)$/.exec(entry)?.[1]
      if (name !== undefined && !names.has(name))
        await rm(join(this.folder, entry), { force: true }).catch(() => {})
    }
  }
}

/** What of a file's value is understood. */
function keptOf(value: unknown): KeptList {
  const { content, verdict, releasedShare } = mapping(value)
  const { url, sha256, validators, fetchedAtMs } = mapping(content)
  const { share, clients, networks, atMs } = mapping(verdict)
  const { etag, lastModified } = mapping(validators)
  const text = (given: unknown) => (typeof given === 'string' ? given : undefined)
  return {
    ...(typeof url === 'string' && typeof sha256 === 'string' && isNumber(fetchedAtMs)
      ? {
          content: {
            url,
            sha256,
            fetchedAtMs,
            validators: { etag: text(etag), lastModified: text(lastModified) },
          },
        }
      : {}),
    ...(isNumber(share) && isNumber(clients) && isNumber(networks) && isNumber(atMs)
      ? { verdict: { share, clients, networks, atMs } }
      : {}),
    ...(isNumber(releasedShare) ? { releasedShare } : {}),
  }
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
