/** An origin that announces trailers made HEAD and HTTP/1.0 requests fail with 502 on the way through Node's http. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeRaw, startDigue, startRawOrigin } from '../scenarios/harness.ts'

test('a Trailer field is left out where there is no place for trailers', async () => {
  await using origin = await startRawOrigin((socket) => {
    socket.on('data', (bytes) => {
      const body = bytes.toString('latin1').startsWith('HEAD') ? '' : '2\r\nok\r\n0\r\nX-T: 1\r\n\r\n'
      socket.write(`HTTP/1.1 200 Fine\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
    })
  })
  await using digue = await startDigue({ origins: [origin.url] })
  for (const start of ['GET / HTTP/1.0', 'HEAD / HTTP/1.1']) {
    const text = await exchangeRaw(
      digue.port,
      `${start}\r\nHost: example.org\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
    )
    assert.match(text, /HTTP\/1\.1 200 Fine\r\n/)
    assert.doesNotMatch(text, /Trailer/i)
  }
})
