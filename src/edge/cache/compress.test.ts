import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { StoredResponse } from '#cache'
import { Compressor, compress, type Encodings, isCompressible } from './compress.ts'
import { page } from './library.fixture.ts'

const TEXT = Buffer.from('<p>The same sentence once more.</p>\n'.repeat(100))

describe('compression of stored text', () => {
  for (const [fields, expected] of [
    [['Content-Type', 'text/html; charset=utf-8'], true],
    [['content-type', 'Application/JSON'], true],
    [['Content-Type', 'application/ld+json'], true],
    [['Content-Type', 'image/svg+xml'], true],
    [['Content-Type', 'text/javascript'], true],
    [['Content-Type', 'text/event-stream'], false],
    [['Content-Type', 'image/png'], false],
    [[], false],
    [['Content-Type', 'text/html', 'Content-Encoding', 'gzip'], false],
    [['Content-Type', 'text/html', 'Cache-Control', 'max-age=1, No-Transform'], false],
    [['Content-Type', 'text/html', 'Content-Digest', 'sha-256=:AAAA:'], false],
  ] as const) {
    test(`${JSON.stringify(fields)}: ${expected ? 'compressed' : 'left as it is'}`, () => {
      assert.equal(isCompressible(page('/', { body: TEXT, fields })), expected)
    })
  }

  test('a part of a text is left as it is: its range is of what the origin sent', () => {
    const fields = ['Content-Type', 'text/html', 'Content-Range', 'bytes 0-3599/9000']
    assert.equal(isCompressible(page('/', { status: 206, body: TEXT, fields })), false)
  })

  test('a short and a very long text are left as they are', () => {
    assert.equal(isCompressible(page('/', { body: TEXT.subarray(0, 1023) })), false)
    assert.equal(isCompressible(page('/', { body: TEXT.subarray(0, 1024) })), true)
    assert.equal(isCompressible(page('/', { body: Buffer.alloc(4 * 2 ** 20 + 1) })), false)
  })

  test('both forms give the text back, from memory that all threads share', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(TEXT.length))
    shared.set(TEXT)
    const { br, gzip } = await compress(shared)
    assert.deepEqual(brotliDecompressSync(br!), TEXT)
    assert.deepEqual(gunzipSync(gzip!), TEXT)
    assert.ok(br!.buffer instanceof SharedArrayBuffer && gzip!.buffer instanceof SharedArrayBuffer)
  })

  test('what gains less than a tenth is not kept', async () => {
    const noise = Buffer.alloc(4000)
    let state = 1
    for (let i = 0; i < noise.length; i++) noise[i] = (state = (state * 48_271) % 2_147_483_647) >> 8
    assert.deepEqual(await compress(noise), {})
  })

  test('the queue is bounded, and what finds it full is counted', async () => {
    const done: StoredResponse[] = []
    await new Promise<void>((resolve) => {
      const compressor: Compressor = new Compressor((response: StoredResponse, encodings: Encodings) => {
        assert.ok(encodings.br)
        done.push(response)
        if (done.length === 258) resolve()
      })
      const taken = Array.from({ length: 300 }, (_, i) => compressor.offer(page(`/${i}`, { body: TEXT })))
      // Two at a time, and 256 that wait.
      assert.equal(taken.filter(Boolean).length, 258)
      assert.equal(compressor.skipped, 42)
    })
  })
})
