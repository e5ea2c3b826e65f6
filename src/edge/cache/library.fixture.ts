/** Stored responses to try the library with. */
import path from 'node:path'
import { type Purge, purges, type StoredResponse } from '#cache'
import { hashOf } from './body-files.ts'
import type { LibraryHandlers } from './library-port.ts'
import { type Learned, responseId } from './library-protocol.ts'

export function page(
  target: string,
  given: Partial<StoredResponse> & { readonly host?: string } = {},
): StoredResponse {
  const { host = 'www.example.org', ...rest } = given
  return {
    key: `https://${host}${target}`,
    variant: '',
    vary: [],
    status: 200,
    fields: ['Content-Type', 'text/html', 'Cache-Control', 'max-age=60'],
    body: Buffer.from('<!doctype html><title>A page</title>'),
    requestedAtMs: 1_800_000_000_000,
    receivedAtMs: 1_800_000_000_010,
    purpose: 'reuse',
    ...rest,
  }
}

/** Where a disk store keeps this body. */
export function fileOf(directory: string, body: Uint8Array): string {
  const name = Buffer.from(hashOf(body)).toString('hex')
  return path.join(directory, 'bodies', name.slice(0, 2), name.slice(2))
}

/** An edge thread's side, which writes down what it hears. */
export class Listener implements LibraryHandlers {
  readonly shelved = new Map<string, StoredResponse>()
  readonly heard: string[] = []
  readonly #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  kept(response: StoredResponse): void {
    this.#put(response)
    this.#note(`kept ${response.key}`)
  }

  dropped(ids: readonly string[]): void {
    for (const id of ids) this.shelved.delete(id)
    this.#note(`dropped ${ids.length}`)
  }

  invalidated(keys: readonly string[]): void {
    for (const [id, { key }] of this.shelved) if (keys.includes(key)) this.shelved.delete(id)
    this.#note(`invalidated ${keys.join(' ')}`)
  }

  purged(what: Purge): void {
    for (const [id, response] of this.shelved) if (purges(what, response)) this.shelved.delete(id)
    this.#note(`purged ${JSON.stringify(what)}`)
  }

  found(key: string, responses: readonly StoredResponse[]): void {
    for (const response of responses) this.#put(response)
    this.#note(`found ${responses.length} ${key}`)
  }

  seen(): void {}

  learned({ site, snapshot }: Learned): void {
    this.#note(`learned ${site} ${snapshot}`)
  }

  landed(key: string): void {
    this.#note(`landed ${key}`)
  }

  shelf(): Iterable<StoredResponse> {
    return this.shelved.values()
  }

  get(target: string): StoredResponse | undefined {
    return this.shelved.get(responseId(page(target).key, ''))
  }

  /** Resolves once something was heard that makes it true. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  #put(response: StoredResponse): void {
    const id = responseId(response.key, response.variant)
    const before = this.shelved.get(id)
    if (before === undefined || before.receivedAtMs <= response.receivedAtMs) this.shelved.set(id, response)
  }

  #note(what: string): void {
    this.heard.push(what)
    for (const waiting of [...this.#waiting]) {
      if (!waiting.isMet()) continue
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      waiting.resolve()
    }
  }
}
