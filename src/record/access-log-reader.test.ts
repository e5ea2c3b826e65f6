import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { readAccessLog } from './access-log-reader.ts'

const LINE = (n: number) =>
  `192.0.2.${n % 250} - - [10/Oct/2000:13:55:${String(n % 60).padStart(2, '0')} +0000] "GET /${n} HTTP/1.1" 200 1 "-" "-"\n`

describe('readAccessLog', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'digue-log-'))
  })
  after(() => rm(folder, { recursive: true }))

  async function read(name: string, content: string | Uint8Array) {
    const file = path.join(folder, name)
    await writeFile(file, content)
    const targets: string[] = []
    const progress: number[] = []
    const summary = await readAccessLog(file, (request) => targets.push(request.target), {
      onProgress: (readBytes, sizeBytes) => progress.push(readBytes / sizeBytes),
    })
    return { targets, progress, summary }
  }

  const many = Array.from({ length: 20_000 }, (_, n) => LINE(n)).join('')

  test('reads every line of a plain file, across chunks, and says how far it is', async () => {
    const { targets, progress, summary } = await read('plain.log', many)
    assert.equal(targets.length, 20_000)
    assert.equal(targets[19_999], '/19999')
    assert.equal(progress.at(-1), 1)
    assert.equal(summary.badLines, 0)
    assert.equal(summary.firstAtMs, Date.UTC(2000, 9, 10, 13, 55, 0))
    assert.equal(summary.lastAtMs, Date.UTC(2000, 9, 10, 13, 55, 59))
  })

  test('reads a gzipped file, also of several members, whatever its name', async () => {
    const gz = Buffer.concat([gzipSync(many), gzipSync(LINE(1))])
    const { targets, summary } = await read('rotated.log', gz)
    assert.equal(targets.length, 20_001)
    assert.equal(summary.fault, undefined)
  })

  test('uses what came before a cut in a gzipped file, and says that it was cut', async () => {
    const { targets, summary } = await read('cut.gz', gzipSync(many).subarray(0, 60_000))
    assert.ok(targets.length > 1000)
    assert.ok(summary.fault)
  })

  test('counts bad and endless lines and goes on', async () => {
    const { targets, summary } = await read(
      'bad.log',
      `${LINE(1)}nonsense\r\n\r\n${'x'.repeat(700_000)}\n${LINE(2)}${LINE(3).trimEnd()}`,
    )
    assert.deepEqual(targets, ['/1', '/2', '/3'])
    assert.equal(summary.badLines, 2)
    assert.equal(summary.tooLong, 1)
  })

  test('reads an empty file as no requests', async () => {
    const { summary } = await read('empty.log', '')
    assert.deepEqual(summary, { requests: 0, badLines: 0, tooLong: 0, firstAtMs: 0, lastAtMs: 0 })
  })

  test('throws for a file that is not there', async () => {
    await assert.rejects(
      readAccessLog(path.join(folder, 'none'), () => {}),
      { code: 'ENOENT' },
    )
  })

  test('stops when told to, and says so', async () => {
    const file = path.join(folder, 'stop.log')
    await writeFile(file, many)
    const stop = new AbortController()
    let seen = 0
    const summary = await readAccessLog(file, () => ++seen === 10 && stop.abort(), { signal: stop.signal })
    assert.ok(summary.fault)
    assert.ok(seen < 20_000)
  })
})
