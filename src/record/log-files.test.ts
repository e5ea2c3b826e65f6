import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { FIELD } from './log-line.ts'
import { mergeLogs } from './log-merge.ts'
import { LogReader } from './log-reader.ts'
import { looksSorted, sortLog } from './log-sort.ts'
import { PackedLogError } from './log-source.ts'

const START_MS = Date.UTC(2026, 0, 5)

function lineAt(second: number, target = `/${second}`): string {
  const [, , time] = new Date(START_MS + second * 1000).toUTCString().split(/, | (?=\d\d:)/)
  const day = String(5 + Math.floor(second / 86_400)).padStart(2, '0')
  return `192.0.2.1 - - [${day}/Jan/2026:${time!.slice(0, 8)} +0000] "GET ${target} HTTP/1.1" 200 1 "-" "-"\n`
}

const lines = (seconds: Iterable<number>) => Array.from(seconds, (second) => lineAt(second)).join('')
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i)

describe('logs in files', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'digue-logs-'))
  })
  after(() => rm(folder, { recursive: true }))

  async function file(name: string, content: string | Uint8Array): Promise<string> {
    const place = path.join(folder, name)
    await writeFile(place, content)
    return place
  }

  async function targets(readers: readonly LogReader[]): Promise<string[]> {
    const found: string[] = []
    await mergeLogs(readers, (line) => found.push(line.text(FIELD.target)))
    for (const reader of readers) await reader.close()
    return found
  }

  const many = lines(upTo(20_000))

  test('zstd and gzip are told by their first bytes, also in several frames', async () => {
    for (const pack of [gzipSync, zstdCompressSync]) {
      const reader = await LogReader.open(
        await file('packed', Buffer.concat([pack(Buffer.from(many)), pack(Buffer.from(lines([20_000])))])),
      )
      const found = await targets([reader])
      assert.equal(reader.fault, undefined)
      assert.equal(found.length, 20_001, pack.name)
    }
  })

  test('of a packed file that was cut off what came before is used', async () => {
    for (const pack of [gzipSync, zstdCompressSync]) {
      const packed = pack(Buffer.from(many))
      const reader = await LogReader.open(await file('cut', packed.subarray(0, packed.length >> 1)))
      const found = await targets([reader])
      assert.ok(reader.fault, pack.name)
      assert.ok(found.length > 100 && found.length < 20_000, `${pack.name}: ${found.length}`)
    }
  })

  test('damage in the middle of a packed file ends reading with a fault', async () => {
    const packed = gzipSync(Buffer.from(many))
    packed.fill(0xff, packed.length >> 1, (packed.length >> 1) + 64)
    const reader = await LogReader.open(await file('damaged', packed))
    await targets([reader])
    assert.ok(reader.fault)
  })

  test('what is packed otherwise is refused with what to do', async () => {
    const xz = await file('log.xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 1, 2, 3]))
    await assert.rejects(LogReader.open(xz), (error) => {
      assert.ok(error instanceof PackedLogError)
      assert.match(error.message, /xzcat .*\| digue replay -/)
      return true
    })
  })

  test('a folder and a missing file are refused at once', async () => {
    await mkdir(path.join(folder, 'sub'), { recursive: true })
    await assert.rejects(LogReader.open(path.join(folder, 'sub')), { code: 'EISDIR' })
    await assert.rejects(LogReader.open(path.join(folder, 'none')), { code: 'ENOENT' })
  })

  test('empty files, one line without an end, and binary noise', async () => {
    assert.deepEqual(await targets([await LogReader.open(await file('empty', ''))]), [])
    assert.deepEqual(await targets([await LogReader.open(await file('one', lines([5]).trimEnd()))]), ['/5'])
    const noise = await LogReader.open(await file('noise', Buffer.alloc(300_000, 0x80)))
    assert.deepEqual(await targets([noise]), [])
    assert.deepEqual([noise.good, noise.bad, noise.tooLong], [0, 1, 1])
  })

  test('several files come as one by time, whatever is packed', async () => {
    const all = upTo(9000)
    const readers = [
      await LogReader.open(await file('m0', lines(all.filter((s) => s % 3 === 0)))),
      await LogReader.open(await file('m1', gzipSync(lines(all.filter((s) => s % 3 === 1))))),
      await LogReader.open(await file('m2', zstdCompressSync(lines(all.filter((s) => s % 3 === 2))))),
      await LogReader.open(await file('m3', '')),
    ]
    assert.deepEqual(
      await targets(readers),
      all.map((s) => `/${s}`),
    )
  })

  test('a log newest first, or two behind each other, is seen not to be in order', async () => {
    const day = upTo(86_400).filter((s) => s % 5 === 0)
    assert.equal(await looksSorted(await file('sorted', lines(day))), true)
    assert.equal(await looksSorted(await file('reversed', lines(day.toReversed()))), false)
    assert.equal(await looksSorted(await file('twice', lines(day) + lines(day))), false)
    assert.equal(
      await looksSorted(await file('nearly', lines(day.map((s, i) => Math.max(0, s - (i % 7)))))),
      true,
    )
    assert.equal(await looksSorted(await file('none', 'nothing\n')), true)
  })

  test('sorting puts every good line in order, keeps equal ones as they came, and leaves nothing behind', async () => {
    const seconds = upTo(5000).map((i) => (i * 7919) % 5000)
    const text = seconds.map((s) => lineAt(s, `/${s}/a`) + lineAt(s, `/${s}/b`)).join('nonsense\n')
    const reader = await LogReader.open(await file('unsorted', text))
    const place = await mkdtemp(path.join(folder, 'runs-'))
    const sorted = await sortLog(reader, place)
    const found = await targets(sorted.runs)
    assert.deepEqual(
      found,
      upTo(5000).flatMap((s) => [`/${s}/a`, `/${s}/b`]),
    )
    assert.equal(reader.good, 10_000)
    assert.equal(reader.bad, 4999)
    await reader.close()
    await sorted.remove()
    assert.deepEqual(await readdir(place), [])
  })

  test('a merge stops when it is told to', async () => {
    const stop = new AbortController()
    stop.abort()
    const reader = await LogReader.open(await file('stopped', many))
    await assert.rejects(
      mergeLogs([reader], () => {}, { signal: stop.signal }),
      { name: 'AbortError' },
    )
    await reader.close()
  })
})
