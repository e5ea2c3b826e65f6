/** Stored responses to try the library with. */
import path from 'node:path'
import type { StoredResponse } from '#cache'
import { hashOf } from './body-files.ts'

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
