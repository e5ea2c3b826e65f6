import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { brotliDecompressSync } from 'node:zlib'
import { type StoredResponse, storedBytes } from '#cache'
import { KeySummary } from './key-summary.ts'
import { Listener, page } from './library.fixture.ts'
import { Library } from './library.ts'
import { LibraryPort } from './library-port.ts'
import { type LibraryEvent, responseId } from './library-protocol.ts'

const TEXT = Buffer.from('<p>The same sentence once more.</p>\n'.repeat(100))

/** Asked for now: later than any purge before. */
function now(target: string, given: Partial<StoredResponse> = {}): StoredResponse {
  const nowMs = Date.now()
  return page(target, { requestedAtMs: nowMs, receivedAtMs: nowMs, ...given })
}

describe('library', () => {
  let directory: string
  let events: LibraryEvent[]
  let library: Library
  let edges: { readonly port: LibraryPort; readonly listener: Listener }[]

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'digue-library-'))
    events = []
    edges = []
  })

  afterEach(async () => {
    for (const { port } of edges) port.close()
    await library.close()
    await rm(directory, { recursive: true, force: true })
  })

  function start(
    given: { readonly memoryBytes?: number; readonly directory?: string | undefined } = {},
  ): void {
    library = Library.start({
      directory,
      threads: 1,
      memoryBytes: 16_000_000,
      diskBytes: 64_000_000,
      ...given,
      onEvent: (event) => events.push(event),
      onPort: (thread: number, port: MessagePort) => edges[thread]!.port.replace(port),
    })
    library.wake()
  }

  function edge(): { readonly port: LibraryPort; readonly listener: Listener } {
    const listener = new Listener()
    const made = { port: new LibraryPort(library.attach(edges.length), listener), listener }
    edges.push(made)
    return made
  }

  /** As an edge does: on its own shelf, then offered. */
  function store(
    { port, listener }: { port: LibraryPort; listener: Listener },
    response: StoredResponse,
  ): void {
    listener.shelved.set(responseId(response.key, response.variant), response)
    port.stored(response)
  }

  /** Asks until the library itself has answered: patience may run out while it starts, or on a busy machine. */
  async function want(port: LibraryPort, key: string): Promise<readonly StoredResponse[]> {
    while (true) {
      const late = port.counters.wantedLate
      const found = await new Promise<readonly StoredResponse[]>((resolve) => port.want(key, resolve))
      if (port.counters.wantedLate === late) return found
    }
  }

  /** The library has handled all that was sent before: it answers in order. */
  async function settled({ port }: { port: LibraryPort }): Promise<void> {
    await want(port, 'https://www.example.org/nothing-here')
  }

  async function restart(given?: { memoryBytes?: number }): Promise<void> {
    for (const { port } of edges) port.close()
    await library.close()
    edges = []
    start(given)
  }

  test('what one edge stores the others have, in the same memory', async () => {
    start()
    const [first, second] = [edge(), edge()]
    const body = new Uint8Array(new SharedArrayBuffer(20))
    store(first, now('/', { body }))
    await second.listener.until(() => second.listener.get('/') !== undefined)
    body[3] = 77
    assert.equal(second.listener.get('/')!.body[3], 77)
    assert.deepEqual(first.listener.heard, [])
  })

  test('a body outside shared memory is moved there before it travels', async () => {
    start()
    const [first, second] = [edge(), edge()]
    store(first, now('/', { body: Buffer.from('from a pool') }))
    await second.listener.until(() => second.listener.get('/') !== undefined)
    const { body } = second.listener.get('/')!
    assert.ok(body.buffer instanceof SharedArrayBuffer)
    assert.equal(body.buffer.byteLength, 'from a pool'.length)
  })

  test('of two edges that store the same page, the later answer stays for both', async () => {
    start()
    const [first, second] = [edge(), edge()]
    const older = now('/', { body: Buffer.from('older') })
    store(first, { ...older, receivedAtMs: older.receivedAtMs + 10, body: Buffer.from('newer') })
    await second.listener.until(() => second.listener.get('/') !== undefined)
    store(second, older)
    await settled(second)
    assert.equal(Buffer.from(second.listener.get('/')!.body).toString(), 'newer')
    assert.equal(Buffer.from(first.listener.get('/')!.body).toString(), 'newer')
  })

  test('a thread that starts late hears of all that is kept', async () => {
    start()
    const first = edge()
    for (let i = 0; i < 600; i++) store(first, now(`/${i}`))
    await settled(first)
    const late = edge()
    await late.listener.until(() => late.listener.shelved.size === 600)
  })

  test('used text is compressed once, for all', async () => {
    start()
    const [first, second] = [edge(), edge()]
    const response = now('/', { body: TEXT })
    store(first, response)
    first.port.used(response)
    first.port.used(response)
    for (const { listener } of [first, second]) {
      await listener.until(() => listener.get('/')?.encodings !== undefined)
      assert.deepEqual(brotliDecompressSync(listener.get('/')!.encodings!.br!), TEXT)
    }
    // The origin sends the same text again: nothing to compress.
    store(first, { ...response, receivedAtMs: response.receivedAtMs + 5 })
    await first.listener.until(() => first.listener.get('/')?.encodings !== undefined)
    assert.equal((await library.report()).compressed, 1)
  })

  test('memory is bounded, the edges are told who had to go, and the disk has them', async () => {
    start({ memoryBytes: 300_000 })
    const [first, second] = [edge(), edge()]
    const responses = Array.from({ length: 60 }, (_, i) =>
      now(`/${i}`, { body: Buffer.alloc(10_000, `${i} `) }),
    )
    for (const response of responses) store(first, response)
    await settled(first)
    await settled(second)
    const { memoryBytes, evicted, notAdmitted, disk } = await library.report()
    assert.ok(memoryBytes <= 300_000)
    assert.ok(evicted + notAdmitted > 25)
    assert.equal(disk!.writesDropped, 0)
    for (const { listener } of [first, second]) {
      const bytes = [...listener.shelved.values()].reduce((sum, response) => sum + storedBytes(response), 0)
      assert.ok(bytes <= 300_000, `${bytes} bytes on a shelf`)
    }
    const gone = responses.find(({ key, variant }) => !second.listener.shelved.has(responseId(key, variant)))!
    const found = await want(second.port, gone.key)
    assert.deepEqual(
      found.map(({ body }) => Buffer.from(body)),
      [gone.body],
    )
  })

  test('a restart keeps what was stored, and brings the hottest to the shelves', async () => {
    start()
    let one = edge()
    const home = now('/', { body: TEXT, fields: ['Content-Type', 'text/plain', 'Cache-Tag', 'front'] })
    store(one, home)
    store(one, now('/other'))
    one.port.used(home)
    await settled(one)
    await restart()
    one = edge()
    await one.listener.until(() => one.listener.get('/') !== undefined)
    assert.deepEqual(Buffer.from(one.listener.get('/')!.body), TEXT)
    assert.deepEqual(one.listener.get('/')!.fields, home.fields)
    await settled(one)
    assert.equal((await want(one.port, now('/other').key)).length, 1)
    assert.equal(await library.purge({ tag: 'front' }), 1)
  })

  test('what was learned of a site is known to threads that begin later, and after a restart', async () => {
    start()
    const first = edge()
    first.port.learned({ site: 'www.example.org', snapshot: '{}' })
    await settled(first)
    const second = edge()
    await second.listener.until(() => second.listener.heard.includes('learned www.example.org {}'))
    await restart()
    const third = edge()
    await third.listener.until(() => third.listener.heard.includes('learned www.example.org {}'))
    assert.ok(!first.listener.heard.some((what) => what.startsWith('learned')))
  })

  test('the summary answers for the disk: no question about what was never stored', async () => {
    start()
    const one = edge()
    store(one, now('/'))
    await settled(one)
    await restart()
    await settled(edge())
    const summary = new KeySummary(library.summary)
    assert.equal(summary.mayBeOnDisk(now('/').key), true)
    assert.equal(summary.mayBeOnDisk(now('/?random=1').key), false)
  })

  test('a purge reaches shelves, memory and disk, and counts each response once', async () => {
    start()
    const first = edge()
    for (let i = 0; i < 20; i++) store(first, now(`/news/${i}`))
    store(first, now('/about'))
    await settled(first)
    await restart()
    const third = edge()
    for (let i = 20; i < 30; i++) store(third, now(`/news/${i}`))
    await settled(third)
    assert.equal(await library.purge({ prefix: 'www.example.org/news/' }), 30)
    await third.listener.until(() => third.listener.heard.some((what) => what.startsWith('purged')))
    assert.ok(![...third.listener.shelved.keys()].some((id) => id.includes('/news/')))
    await restart()
    const fourth = edge()
    await settled(fourth)
    assert.deepEqual(await want(fourth.port, now('/news/3').key), [])
    assert.equal((await want(fourth.port, now('/about').key)).length, 1)
  })

  test('an answer to a request from before a purge or an invalidation is not kept', async () => {
    start()
    const one = edge()
    const [early, other] = [now('/early'), now('/other')]
    await library.purge({ url: 'www.example.org/early' })
    one.port.invalidated([other.key])
    for (const response of [early, other]) store(one, { ...response, receivedAtMs: Date.now() + 1000 })
    await one.listener.until(() => one.listener.shelved.size === 0)
    assert.equal((await library.report()).outdated, 2)
    // It was asked for after that.
    store(one, { ...early, requestedAtMs: Date.now() + 1, receivedAtMs: Date.now() + 2 })
    await settled(one)
    assert.equal((await library.report()).responses, 1)
  })

  test('an unsafe request on one edge makes the others forget, and the disk', async () => {
    start()
    const [first, second] = [edge(), edge()]
    store(first, now('/form', { variant: 'en' }))
    store(first, now('/form', { variant: 'fr' }))
    await second.listener.until(() => second.listener.shelved.size === 2)
    first.port.invalidated([now('/form').key])
    await second.listener.until(() => second.listener.shelved.size === 0)
    assert.deepEqual(await want(first.port, now('/form').key), [])
  })

  test('a landing is passed on to the others only', async () => {
    start()
    const [first, second] = [edge(), edge()]
    await settled(second)
    first.port.landed('a key')
    await second.listener.until(() => second.listener.heard.includes('landed a key'))
    assert.ok(!first.listener.heard.includes('landed a key'))
  })

  test('variants of one key are bounded', async () => {
    start()
    const one = edge()
    for (let i = 0; i < 100; i++) store(one, now('/', { variant: `agent ${i}` }))
    await settled(one)
    const { responses, variantsDropped } = await library.report()
    assert.equal(responses, 64)
    assert.equal(variantsDropped, 36)
    assert.equal(one.listener.shelved.size, 64)
  })

  test('it begins when there is something to keep, and until then nobody is told anything', async () => {
    const asleep = Library.start({
      directory: undefined,
      threads: 1,
      memoryBytes: 16_000_000,
      diskBytes: 64_000_000,
      onEvent: (event) => events.push(event),
      onPort: () => {},
    })
    library = asleep
    assert.equal(await asleep.purge({ all: true }), 0)
    assert.equal((await asleep.report()).responses, 0)
    assert.equal(new KeySummary(asleep.summary).mayBeOnDisk('http://www.example.org/'), false)
    const listeners = [new Listener(), new Listener()]
    const ports = listeners.map(
      (listener, n) => new LibraryPort(asleep.attach(n), listener, () => asleep.wake()),
    )
    ports[0]!.invalidated(['http://www.example.org/'])
    assert.equal(asleep.isAwake, false)
    ports[0]!.stored(now('/'))
    assert.equal(asleep.isAwake, true)
    await listeners[1]!.until(() => listeners[1]!.get('/') !== undefined)
    for (const port of ports) port.close()
  })

  test('without a folder it keeps in memory only', async () => {
    start({ directory: undefined })
    const [first, second] = [edge(), edge()]
    store(first, now('/'))
    await second.listener.until(() => second.listener.get('/') !== undefined)
    assert.equal((await library.report()).disk, undefined)
    assert.equal(await library.purge({ all: true }), 1)
    assert.deepEqual(await readdir(directory), [])
  })

  test('a library that dies is started again, learns from the shelves, and the edges go on', async () => {
    start({ directory: undefined })
    const [first, second] = [edge(), edge()]
    for (let i = 0; i < 10; i++) store(first, now(`/${i}`))
    store(second, now('/second'))
    await first.listener.until(() => first.listener.get('/second') !== undefined)
    await second.listener.until(() => second.listener.shelved.size === 11)
    library.kill()
    // Asked while nobody is there: answered by the next one, before it hears what the shelves hold.
    const purged = library.purge({ url: 'www.example.org/5' })
    await purged
    for (const { listener } of [first, second]) await listener.until(() => listener.get('/5') === undefined)
    await settled(first)
    await settled(second)
    assert.equal((await library.report()).responses, 10)
    assert.deepEqual(
      events.map(({ code }) => code),
      ['cache-library-died', 'cache-library-restarted'],
    )
    store(first, now('/new'))
    await second.listener.until(() => second.listener.get('/new') !== undefined)
  })

  test('a library that dies leaves the disk to the next one', async () => {
    start()
    const one = edge()
    const response = now('/')
    store(one, response)
    one.port.used(response)
    while ((await library.report()).disk!.writes === 0) await settled(one)
    one.listener.shelved.clear()
    library.kill()
    while ((await library.report()).disk!.responses === 0);
    await settled(one)
    assert.equal((await want(one.port, response.key)).length, 1)
  })

  test('a process killed in the middle of writes leaves right answers or none', {
    timeout: 120_000,
  }, async () => {
    const program = path.join(import.meta.dirname, 'library-writer.fixture.ts')
    for (const afterLines of [1, 3, 6]) {
      const child = spawn(process.execPath, ['-C', 'source', program, directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const ended = once(child, 'exit')
      let lines = 0
      for await (const chunk of child.stdout) {
        lines += String(chunk).split('\n').length - 1
        if (lines >= afterLines) break
      }
      child.kill('SIGKILL')
      await ended
      start()
      const one = edge()
      await settled(one)
      let found = 0
      for (let i = 0; i < 400; i++) {
        for (const { body } of await want(one.port, page(`/${i}`).key)) {
          found++
          const text = Buffer.from(body).toString()
          assert.match(text, new RegExp(`^page ${i} round \\d+ \\.+$`))
          assert.equal(text.length, 20_000)
        }
      }
      const { disk } = await library.report()
      assert.ok(found > 0, 'nothing survived')
      assert.equal(disk!.faults, 0)
      one.port.close()
      edges = []
      await library.close()
    }
    start()
  })
})

describe("an edge's line to the library", () => {
  test('questions are bounded and answered "no" when nobody answers', async () => {
    const { port1, port2 } = new MessageChannel()
    const port = new LibraryPort(port1, new Listener())
    let at = 0
    const answered = Array.from(
      { length: 256 },
      (_, i) => new Promise<void>((resolve) => port.want(`${i}`, () => resolve())),
    )
    port.want('one too many', (responses) => {
      assert.deepEqual(responses, [])
      at++
    })
    assert.equal(at, 1)
    // The same question again is the same question.
    answered.push(new Promise<void>((resolve) => port.want('7', () => resolve())))
    await Promise.all(answered)
    assert.deepEqual(port.counters, { storedDropped: 0, usesDropped: 0, wantedRefused: 1, wantedLate: 256 })
    port.close()
    port2.close()
  })

  test('what the library has not taken in yet is bounded', () => {
    const { port1, port2 } = new MessageChannel()
    const port = new LibraryPort(port1, new Listener())
    const body = new Uint8Array(new SharedArrayBuffer(10 * 2 ** 20))
    const taken = Array.from({ length: 10 }, (_, i) => port.stored(page(`/${i}`, { body })))
    assert.deepEqual(taken.filter(Boolean).length, 6)
    assert.equal(port.counters.storedDropped, 4)
    port.close()
    port2.close()
  })

  test('uses are counted together and bounded', async () => {
    const { port1, port2 } = new MessageChannel()
    const port = new LibraryPort(port1, new Listener())
    const responses = Array.from({ length: 5000 }, (_, i) => page(`/${i}`))
    for (let round = 0; round < 3; round++) for (const response of responses) port.used(response)
    assert.equal(port.counters.usesDropped, 3 * (5000 - 4096))
    const [message] = (await once(port2, 'message')) as [{ type: string; uses: [string, number][] }]
    assert.equal(message.uses.length, 4096)
    assert.deepEqual(message.uses[0], [responseId(responses[0]!.key, ''), 3])
    port.close()
    port2.close()
  })
})
