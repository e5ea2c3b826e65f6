import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKeptFromSharedCaches } from './shared-caches.ts'

const cases: readonly [says: boolean, fields: readonly string[], why: string][] = [
  [true, ['Cache-Control', 'no-store'], 'nobody stores it'],
  [true, ['cache-control', 'max-age=0, Private'], 'the client alone stores it'],
  [true, ['Cache-Control', 'max-age=60', 'Cache-Control', 'no-store'], 'lines make one list'],
  [false, [], 'silence allows heuristics'],
  [false, ['Cache-Control', 'no-cache'], 'stored, and validated before use'],
  [false, ['Cache-Control', 'private="set-cookie"'], 'only one field is private'],
  [false, ['Cache-Control', 'x-private, not-no-store'], 'other words'],
  [false, ['Cache-Control', 'private', 'CDN-Cache-Control', 'max-age=60'], 'a CDN is told otherwise'],
  [false, ['Cache-Control', 'no-store', 'Surrogate-Control', 'max-age=60'], 'so is a surrogate'],
]

for (const [says, fields, why] of cases)
  test(`${says ? 'kept from' : 'possible for'} shared caches: ${why}`, () => {
    assert.equal(isKeptFromSharedCaches(fields), says)
  })
