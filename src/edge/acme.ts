/**
 * Files of an ACME client (RFC 8555 §8.3) for /.well-known/acme-challenge/.
 * A token is base64url, so nothing else is even looked up: no dot, no slash, no escape.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'

export const ACME_PREFIX = '/.well-known/acme-challenge/'
const TOKEN = /^[A-Za-z0-9_-]{1,128}$/
const MAX_BYTES = 4096
/** Reads at once; the rest is told there is no such file. Certificate authorities ask a handful of times. */
const MAX_READS = 8
let reads = 0

/** `target`, which has the prefix, is what an authority would ask for. Anything else under the prefix, "../search" for one, is like any other request. */
export function isChallenge(method: string, target: string): boolean {
  return (method === 'GET' || method === 'HEAD') && TOKEN.test(target.slice(ACME_PREFIX.length))
}

/** The file's bytes; undefined when there is none, it is no plain small file, or too many are being read. */
export async function readChallenge(directory: string, target: string): Promise<Buffer | undefined> {
  const token = target.slice(ACME_PREFIX.length)
  if (!TOKEN.test(token) || reads >= MAX_READS) return undefined
  reads++
  try {
    const file = await open(join(directory, token), 'r')
    try {
      const stat = await file.stat()
      if (!stat.isFile() || stat.size > MAX_BYTES) return undefined
      return await file.readFile()
    } finally {
      await file.close()
    }
  } catch {
    return undefined
  } finally {
    reads--
  }
}
