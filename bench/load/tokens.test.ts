import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKnown, KeyRing, KNOWN_COOKIE, readKnown } from '#challenge'
import { knownCookies, SITE, writeMaster } from './tokens.ts'

test('who has the secret of the state folder knows the bearers, each another one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'digue-test-'))
  try {
    writeMaster(folder)
    const keys = new KeyRing(Buffer.from(readFileSync(join(folder, 'keys'), 'utf8').trim(), 'hex'))
    const nowS = Math.floor(Date.now() / 1000)
    const cookies = knownCookies(50, 'test')
    const tokens = cookies.map((cookie) => {
      assert.ok(cookie.startsWith(`${KNOWN_COOKIE}=`))
      return readKnown(keys, SITE, cookie.slice(KNOWN_COOKIE.length + 1), nowS)
    })
    for (const token of tokens) assert.ok(typeof token !== 'string' && isKnown(token, nowS), String(token))
    assert.equal(new Set(cookies).size, 50)
    assert.deepEqual(knownCookies(50, 'test'), cookies)
    assert.notDeepEqual(knownCookies(1, 'others'), cookies.slice(0, 1))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
