/** An origin that sends interim responses for ever held its permit for ever, but on the fast path. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { request } from 'undici'
import { startDigue, startRawOrigin } from '../scenarios/harness.ts'

test('an origin that never comes to its final response gets 502', async () => {
  await using origin = await startRawOrigin((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(17)))
  })
  await using digue = await startDigue({ origins: [origin.url] })
  for (const method of ['GET', 'POST'] as const) {
    const response = await request(digue.url, { method, ...(method === 'POST' ? { body: 'x' } : {}) })
    assert.equal(response.statusCode, 502)
    assert.equal(response.headers['digue-error'], 'origin-interim-flood')
    await response.body.dump()
  }
})
