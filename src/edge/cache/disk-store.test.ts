import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, test } from 'node:test'
import fc from 'fast-check'
import type { StoredResponse } from '#cache'
import { DiskStore } from './disk-store.ts'
import { KeySummary } from './key-summary.ts'
import { fileOf, page } from './library.fixture.ts'
import type { LibraryEvent } from './library-protocol.ts'
import { responseId } from './library-protocol.ts'

const HOUR_MS = 3_600_000

describe('disk store', () => {
  let directory: string
  let summary: KeySummary
  let events: LibraryEvent[]
  let nowMs: number
  let open: DiskStore[]

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'digue-disk-'))
    summary = new KeySummary(KeySummary.memory())
    events = []
    nowMs = 1_800_000_000_000
    open = []
  })

  afterEach(async () => {
    for (const store of open) await store.close()
    await rm(directory, { recursive: true, force: true })
  })

  async function start(maxBytes = 10_000_000): Promise<DiskStore> {
    const store = new DiskStore({
      directory,
      maxBytes,
      summary,
      onEvent: (event) => events.push(event),
      now: () => nowMs,
    })
    open.push(store)
    await store.open()
    return store
  }

  /** As after a restart: all that waited is written. */
  async function again(store: DiskStore, maxBytes?: number): Promise<DiskStore> {
    await store.close()
    summary = new KeySummary(KeySummary.memory())
    return start(maxBytes)
  }

  test('what was kept is there after a restart, byte for byte', async () => {
    const home = page('/', {
      encodings: { br: new Uint8Array(700).fill(1), gzip: new Uint8Array(800).fill(2) },
    })
    const empty = page('/empty', { body: new Uint8Array(), status: 404, purpose: 'emergency' })
    const french = page('/', { variant: 'fr', vary: ['accept-language'], fields: ['X-Name', 'caf\u00e9'] })
    let store = await start()
    for (const response of [home, empty, french]) assert.equal(store.offer(response), true)
    store = await again(store)
    assert.deepEqual(plain(await store.get(home.key)), plain([french, home].reverse()))
    assert.deepEqual(plain(await store.get(empty.key)), plain([empty]))
    assert.deepEqual(await store.get('https://www.example.org/other'), [])
    assert.equal(summary.mayBeOnDisk(home.key), true)
    assert.equal(summary.mayBeOnDisk('https://www.example.org/other'), false)
  })

  test('what waits to be written is found', async () => {
    const store = await start()
    store.offer(page('/'))
    assert.equal((await store.get(page('/').key)).length, 1)
  })

  test('a newer response takes the place of the older, and its body goes', async () => {
    let store = await start()
    store.offer(page('/', { body: Buffer.alloc(9000, 'a') }))
    store = await again(store)
    store.offer(page('/', { body: Buffer.alloc(9000, 'b') }))
    store = await again(store)
    const [found] = await store.get(page('/').key)
    assert.equal(found!.body[0], 'b'.charCodeAt(0))
    assert.equal(store.report().responses, 1)
    assert.equal((await bodies(directory)).length, 1)
  })

  test('two pages share one body until neither needs it', async () => {
    const body = Buffer.alloc(5000, 'same')
    let store = await start()
    store.offer(page('/a', { body }))
    store.offer(page('/b', { body }))
    store = await again(store)
    assert.equal((await bodies(directory)).length, 1)
    await store.purge({ url: 'www.example.org/a' }, new Set())
    store = await again(store)
    assert.equal((await store.get(page('/b').key)).length, 1)
    await store.purge({ url: 'www.example.org/b' }, new Set())
    store = await again(store)
    assert.deepEqual(await bodies(directory), [])
    assert.equal(store.report().bytes, 0)
  })

  for (const [how, harm] of [
    ['altered', async (file: string) => writeFile(file, (await readFile(file)).fill(7, 10, 11))],
    ['truncated', async (file: string) => writeFile(file, (await readFile(file)).subarray(0, -1))],
    [
      'lengthened',
      async (file: string) => writeFile(file, Buffer.concat([await readFile(file), Buffer.of(0)])),
    ],
    ['deleted', async (file: string) => rm(file)],
    ['emptied', async (file: string) => writeFile(file, '')],
  ] as const) {
    test(`a body that was ${how} is a miss, counted, and can be kept again`, async () => {
      const home = page('/')
      let store = await start()
      store.offer(home)
      store.offer(page('/twin'))
      store = await again(store)
      await harm(fileOf(directory, home.body))
      assert.deepEqual(await store.get(home.key), [])
      assert.equal(store.report().faults, 1)
      assert.equal(store.report().responses, 1)
      store.offer(home)
      store = await again(store)
      assert.deepEqual(plain(await store.get(home.key)), plain([home]))
      // The same body: whole again for the other page too.
      assert.deepEqual(plain(await store.get(page('/twin').key)), plain([page('/twin')]))
    })
  }

  test('an altered compressed form makes the whole response a miss', async () => {
    const home = page('/', { encodings: { br: Buffer.alloc(700, 'x') } })
    let store = await start()
    store.offer(home)
    store = await again(store)
    await writeFile(fileOf(directory, home.encodings!.br!), Buffer.alloc(700, 'y'))
    assert.deepEqual(await store.get(home.key), [])
    assert.equal(store.report().faults, 1)
  })

  for (const [what, change] of [
    ['status', 'UPDATE responses SET status = 500'],
    ['fields', `UPDATE responses SET fields = '["Content-Type","text/evil"]'`],
    ['key', `UPDATE responses SET key = 'https://www.example.org/other'`],
    ['times', 'UPDATE responses SET received_ms = received_ms + 1'],
    ['body', 'UPDATE responses SET body = zeroblob(32)'],
    ['types', `UPDATE responses SET fields = 7, vary = '{', digest = 'x'`],
  ] as const) {
    test(`a row whose ${what} changed in the index is a miss`, async () => {
      let store = await start()
      store.offer(page('/'))
      await store.close()
      const db = new DatabaseSync(path.join(directory, 'index.sqlite'))
      db.exec(change)
      db.close()
      store = await again(store)
      const key = what === 'key' ? 'https://www.example.org/other' : page('/').key
      assert.deepEqual(await store.get(key), [])
      assert.equal(store.report().faults, 1)
      assert.equal(store.report().responses, 0)
    })
  }

  test('what was learned of a site is there after a restart, unless it was altered or is old', async () => {
    let store = await start()
    store.learn({ site: 'www.example.org', snapshot: 'old' })
    store.learn({ site: 'www.example.org', snapshot: 'new' })
    store.learn({ site: 'altered.example', snapshot: 'right' })
    store = await again(store)
    assert.deepEqual(
      store
        .learned()
        .map(({ site, snapshot }) => [site, snapshot])
        .sort(),
      [
        ['altered.example', 'right'],
        ['www.example.org', 'new'],
      ],
    )
    await store.close()
    const db = new DatabaseSync(path.join(directory, 'index.sqlite'))
    db.exec(`UPDATE learned SET snapshot = 'wrong' WHERE site = 'altered.example'`)
    db.close()
    store = await again(store)
    assert.deepEqual(store.learned(), [{ site: 'www.example.org', snapshot: 'new' }])
    nowMs += 31 * 86_400_000
    assert.deepEqual(store.learned(), [])
  })

  test('of what was learned the newest stays, within bounds', async () => {
    const store = await start()
    for (let n = 0; n < 20; n++) {
      nowMs++
      store.learn({ site: `${n}.example`, snapshot: 'x'.repeat(1_000_000) })
    }
    const sites = store.learned().map(({ site }) => site)
    assert.ok(sites.length === 16 && sites.includes('19.example') && !sites.includes('3.example'))
  })

  test('an index that is no index is moved aside and begun anew', async () => {
    let store = await start()
    store.offer(page('/'))
    await store.close()
    await writeFile(path.join(directory, 'index.sqlite'), Buffer.alloc(20_000, 'garbage'))
    store = await again(store)
    assert.deepEqual(
      events.map(({ code }) => code),
      ['cache-index-broken'],
    )
    assert.ok((await readdir(directory)).includes(`index.sqlite.broken-${nowMs}`))
    assert.deepEqual(await bodies(directory), [])
    store.offer(page('/'))
    store = await again(store)
    assert.equal((await store.get(page('/').key)).length, 1)
  })

  test('an index torn in its middle never gives a wrong answer', async () => {
    let store = await start()
    for (let i = 0; i < 300; i++) store.offer(page(`/${i}`, { body: Buffer.from(`page ${i}`) }))
    await store.close()
    const file = path.join(directory, 'index.sqlite')
    const bytes = await readFile(file)
    // All but the first page, which says that this is a database.
    for (let at = 4096; at + 4096 <= bytes.length; at += 8192) bytes.fill(0x5a, at, at + 4096)
    await writeFile(file, bytes)
    store = await again(store)
    let right = 0
    for (let i = 0; i < 300; i++) {
      const found = await store.get(page(`/${i}`).key)
      for (const { body } of found) assert.equal(Buffer.from(body).toString(), `page ${i}`)
      right += found.length
    }
    assert.ok(right < 300)
    store.offer(page('/new'))
    store = await again(store)
    assert.equal((await store.get(page('/new').key)).length, 1)
  })

  test('whatever bytes change on disk, answers are right or missing', { timeout: 120_000 }, async () => {
    const pages = Array.from({ length: 30 }, (_, i) =>
      page(`/${i}`, { body: Buffer.from(`page ${i} `.repeat(50)), fields: ['Cache-Tag', `tag-${i}`] }),
    )
    let store = await start()
    for (const response of pages) store.offer(response)
    await store.close()
    const pristine = `${directory}-pristine`
    await cp(directory, pristine, { recursive: true })
    const files = [path.join(directory, 'index.sqlite'), fileOf(directory, pages[0]!.body)]
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...files),
          fc.array(
            fc.tuple(fc.double({ min: 0, max: 0.999_999, noNaN: true }), fc.integer({ min: 1, max: 255 })),
            {
              minLength: 1,
              maxLength: 300,
            },
          ),
          async (file: string, changes: readonly (readonly [number, number])[]) => {
            await rm(directory, { recursive: true })
            await cp(pristine, directory, { recursive: true })
            const bytes = await readFile(file)
            for (const [where, by] of changes) {
              const at = Math.floor(where * bytes.length)
              bytes[at] = bytes[at]! ^ by
            }
            await writeFile(file, bytes)
            store = await start()
            for (const [i, response] of pages.entries()) {
              const found = await store.get(response.key)
              if (found.length > 0) assert.deepEqual(plain(found), plain([pages[i]!]))
            }
            // Whatever was broken, it goes on.
            store.offer(page('/new'))
            await store.idle()
            assert.equal((await store.get(page('/new').key)).length, 1)
            await store.purge({ all: true }, new Set())
            await store.close()
          },
        ),
        { numRuns: 60 },
      )
    } finally {
      await rm(pristine, { recursive: true, force: true })
    }
  })

  test('the bound on bytes holds, and the longest unused go first', async () => {
    let store = await start(400_000)
    for (let i = 0; i < 40; i++) {
      nowMs += 1000
      store.offer(page(`/${i}`, { body: Buffer.alloc(20_000, String(i)) }))
      store = await again(store, 400_000)
      nowMs += 1000
      store.used([[responseId(page('/0').key, ''), 1]])
      assert.ok(store.report().bytes <= 400_000, `${store.report().bytes}`)
    }
    assert.equal((await store.get(page('/0').key)).length, 1)
    assert.equal((await store.get(page('/1').key)).length, 0)
    assert.equal((await store.get(page('/39').key)).length, 1)
    let onDisk = 0
    for (const file of await bodies(directory)) onDisk += (await readFile(file)).length
    assert.ok(onDisk <= 400_000)
  })

  test('what would take an eighth of the disk is not written', async () => {
    const store = await start(400_000)
    store.offer(page('/large', { body: Buffer.alloc(60_000) }))
    store.offer(page('/head', { fields: ['X-Long', 'x'.repeat(200_000)] }))
    await store.close()
    assert.equal(store.report().unfit, 2)
  })

  test('a purge forgets by URL, prefix, host and tag, on disk and on its way there', async () => {
    const pages = [
      page('/news/1', { fields: ['Surrogate-Key', 'news front'] }),
      page('/news/2', { fields: ['Cache-Tag', 'news,sport, Two Words'] }),
      page('/News/3', { fields: ['Surrogate-Key', 'News'] }),
      page('/', { host: 'other.example.org:8443' }),
    ]
    for (const [what, left] of [
      [{ url: 'www.example.org/news/1' }, [1, 2, 3]],
      [{ prefix: 'www.example.org/news/' }, [2, 3]],
      [{ host: 'www.example.org' }, [3]],
      [{ host: 'other.example.org' }, [0, 1, 2]],
      [{ tag: 'news' }, [2, 3]],
      [{ tag: 'Two Words' }, [0, 2, 3]],
      [{ tag: 'front', host: 'other.example.org' }, [0, 1, 2, 3]],
      [{ all: true }, []],
    ] as const) {
      for (const isWritten of [true, false]) {
        let store = await start()
        for (const response of pages) store.offer(response)
        if (isWritten) store = await again(store)
        assert.equal(await store.purge(what, new Set()), pages.length - left.length, JSON.stringify(what))
        store = await again(store)
        const found: number[] = []
        for (const [i, { key }] of pages.entries()) if ((await store.get(key)).length > 0) found.push(i)
        assert.deepEqual(found, left, JSON.stringify(what))
        await store.purge({ all: true }, new Set())
        await store.close()
      }
    }
  })

  test('an invalidated key is gone with all its variants', async () => {
    let store = await start()
    store.offer(page('/', { variant: 'a' }))
    store = await again(store)
    store.offer(page('/', { variant: 'b' }))
    store.invalidate([page('/').key])
    store = await again(store)
    assert.deepEqual(await store.get(page('/').key), [])
  })

  test('the hottest come first, and only as many as fit', async () => {
    let store = await start()
    for (let i = 0; i < 10; i++) store.offer(page(`/${i}`, { body: Buffer.alloc(10_000, `${i}`) }))
    store = await again(store)
    store.used([
      [responseId(page('/7').key, ''), 100],
      [responseId(page('/3').key, ''), 50],
    ])
    nowMs += 20 * HOUR_MS * 24
    store.used([[responseId(page('/5').key, ''), 1]])
    const hottest: string[] = []
    for await (const { key } of store.hottest(35_000)) hottest.push(key)
    // A use of today outweighs a hundred of three weeks ago.
    assert.deepEqual(
      hottest,
      ['/5', '/7', '/3'].map((target) => page(target).key),
    )
  })

  test('what nobody asked for in seven days goes', async () => {
    let store = await start()
    store.offer(page('/old'))
    store.offer(page('/used'))
    store = await again(store)
    nowMs += 6 * 24 * HOUR_MS
    store.used([[responseId(page('/used').key, ''), 1]])
    nowMs += 2 * 24 * HOUR_MS
    store.tick()
    store = await again(store)
    assert.deepEqual(await store.get(page('/old').key), [])
    assert.equal((await store.get(page('/used').key)).length, 1)
  })

  test('files that the index does not know are swept away', async () => {
    let store = await start()
    store.offer(page('/'))
    store = await again(store)
    const stranger = fileOf(directory, Buffer.from('a run that ended between file and row'))
    await mkdir(path.dirname(stranger), { recursive: true })
    await writeFile(stranger, 'x')
    for (let i = 0; i < 256; i++) {
      store.tick()
      await store.idle()
    }
    assert.deepEqual(await bodies(directory), [fileOf(directory, page('/').body)])
  })

  test('a folder that cannot be written is said once, and memory goes on', async () => {
    await writeFile(path.join(directory, 'file'), '')
    directory = path.join(directory, 'file', 'below')
    const store = await start()
    assert.equal(store.offer(page('/')), false)
    assert.deepEqual(await store.get(page('/').key), [])
    assert.equal(await store.purge({ all: true }, new Set()), 0)
    nowMs += 60_000
    store.tick()
    await store.idle()
    assert.deepEqual(
      events.map(({ level, code }) => [level, code]),
      [['warn', 'cache-disk']],
    )
    assert.equal(summary.mayBeOnDisk(page('/').key), false)
    directory = path.dirname(path.dirname(directory))
  })

  test('a disk that refuses to write is left alone, then tried again', async () => {
    const store = await start()
    await rm(path.join(directory, 'bodies'), { recursive: true })
    await writeFile(path.join(directory, 'bodies'), 'in the way')
    store.offer(page('/'))
    await store.idle()
    assert.equal(store.report().failures, 1)
    assert.equal(store.offer(page('/')), false)
    await rm(path.join(directory, 'bodies'))
    await mkdir(path.join(directory, 'bodies', 'temporary'), { recursive: true })
    nowMs += 10_000
    assert.equal(store.offer(page('/')), true)
    await store.idle()
    assert.deepEqual(
      events.map(({ level }) => level),
      ['warn', 'info'],
    )
    assert.equal((await store.get(page('/').key)).length, 1)
  })

  test('of two stores on one folder the second holds nothing', async () => {
    const first = await start()
    first.offer(page('/'))
    await first.idle()
    const second = await start()
    assert.equal(second.offer(page('/')), false)
    assert.deepEqual(await second.get(page('/').key), [])
    assert.equal((await first.get(page('/').key)).length, 1)
  })

  test('the queue is bounded, and what finds it full is counted', async () => {
    const store = await start(1e9)
    const body = Buffer.alloc(4 * 2 ** 20)
    let taken = 0
    for (let i = 0; i < 12; i++) if (store.offer(page(`/${i}`, { body }))) taken++
    assert.equal(taken, 7)
    assert.equal(store.report().writesDropped, 5)
  })
})

/** Bodies compare by content, wherever they lie. */
function plain(responses: readonly StoredResponse[]): unknown[] {
  const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('latin1')
  return responses.map(({ body, encodings, ...head }) => ({
    ...head,
    body: text(body),
    br: text(encodings?.br),
    gzip: text(encodings?.gzip),
  }))
}

async function bodies(directory: string): Promise<string[]> {
  const entries = await readdir(path.join(directory, 'bodies'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
}
