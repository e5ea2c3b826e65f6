import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Flights } from './flights.ts'

const now = 1_800_000_000_000
const PATIENCE = 5000

/** With a secret by which no two keys of these tests fall into one slot of many. */
function memoryOf(slots?: number): SharedArrayBuffer {
  const memory = Flights.memory(slots)
  new Int32Array(memory, 0, 4).set([1, 2, 3, 4])
  return memory
}

function two(slots?: number): [Flights, Flights] {
  const memory = memoryOf(slots)
  return [new Flights(memory, 0), new Flights(memory, 1)]
}

test('the first leads, others fly with it, and after its end the next leads', () => {
  const [a, b] = two()
  assert.equal(a.begin('/', now, PATIENCE), 'leads')
  assert.equal(b.begin('/', now, PATIENCE), 'flies')
  assert.ok(b.wait('/'))
  assert.ok(a.end('/'), 'somebody waits')
  assert.ok(!b.wait('/'), 'it has landed')
  assert.equal(b.begin('/', now, PATIENCE), 'leads')
  assert.ok(!b.end('/'), 'nobody waits')
})

test('a flight is over when its patience is, and its waiters are handed on', () => {
  const [a, b] = two()
  a.begin('/', now, PATIENCE)
  assert.ok(b.wait('/'))
  assert.equal(b.begin('/', now + PATIENCE - 200, PATIENCE), 'flies')
  assert.equal(b.begin('/', now + PATIENCE + 200, PATIENCE), 'leads')
  assert.ok(!a.end('/'), 'not its own any more')
  assert.equal(a.begin('/', now + PATIENCE + 300, PATIENCE), 'flies')
  assert.ok(b.end('/'))
})

test('a clock that was set back by a day ends flights instead of making them last', () => {
  const [a, b] = two()
  a.begin('/', now + 86_400_000, PATIENCE)
  assert.equal(b.begin('/', now, PATIENCE), 'leads')
})

test('flights that nobody ended are over after any number of days', () => {
  for (let hours = 1; hours < 24 * 8; hours += 1) {
    const [a, b] = two(1)
    a.begin('/', now, PATIENCE)
    assert.equal(b.begin('/', now + hours * 3_600_000, PATIENCE), 'leads', `${hours} h`)
  }
})

test('another key in the slot means alone, and is counted', () => {
  const [a, b] = two(1)
  assert.equal(a.begin('/a', now, PATIENCE), 'leads')
  assert.equal(b.begin('/b', now, PATIENCE), 'alone')
  assert.ok(!b.wait('/b') && !b.end('/b'))
  assert.equal(b.alone, 1)
  assert.equal(b.begin('/b', now + PATIENCE + 200, PATIENCE), 'leads', 'the slot of an abandoned flight')
  assert.ok(!a.end('/a'))
  assert.equal(a.begin('/b', now + PATIENCE + 200, PATIENCE), 'flies')
})

test('a thread that leads is alone when it asks again, and leads in place of one that died', () => {
  const memory = memoryOf()
  const before = new Flights(memory, 3)
  assert.equal(before.begin('/', now, PATIENCE), 'leads')
  assert.equal(before.begin('/', now, PATIENCE), 'alone')
  const after = new Flights(memory, 3)
  assert.equal(after.begin('/', now, PATIENCE), 'leads')
})

test('flights of a thread that died are released, those of others are not', () => {
  const memory = memoryOf()
  const [a, b, c] = [0, 1, 2].map((thread) => new Flights(memory, thread)) as [Flights, Flights, Flights]
  for (let i = 0; i < 10; i++) a.begin(`/a${i}`, now, PATIENCE)
  b.begin('/b', now, PATIENCE)
  assert.ok(c.wait('/a1'))
  assert.equal(Flights.release(memory, 0), 1)
  assert.equal(c.begin('/a1', now, PATIENCE), 'leads')
  assert.equal(c.begin('/b', now, PATIENCE), 'flies')
})

test('no more than 63 threads', () => {
  assert.ok(new Flights(Flights.memory(1), 62))
  assert.throws(() => new Flights(Flights.memory(1), 63))
})

/** Runs `body(flights, thread, meet, shared)` on four threads at once and gives what each returned. */
function onThreads(body: string): Promise<unknown[]> {
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.module).then(({ Flights }) => {
      const shared = new Int32Array(workerData.shared)
      let meetings = 0
      // All threads have come to this meeting.
      const meet = () => {
        meetings++
        Atomics.add(shared, 0, 1)
        Atomics.notify(shared, 0)
        for (let seen; (seen = Atomics.load(shared, 0)) < 4 * meetings; ) Atomics.wait(shared, 0, seen)
      }
      const flights = new Flights(workerData.memory, workerData.thread)
      parentPort.postMessage(((flights, meet, shared) => { ${body} })(flights, meet, shared))
    })`
  const module = new URL('./flights.ts', import.meta.url).href
  const memory = memoryOf()
  const shared = new SharedArrayBuffer(4 * 100)
  return Promise.all(
    [0, 1, 2, 3].map(
      (thread) =>
        new Promise((resolve, reject) => {
          const worker = new Worker(code, {
            eval: true,
            execArgv: ['-C', 'source'],
            workerData: { module, memory, thread, shared },
          })
          worker.once('message', resolve)
          worker.once('error', reject)
        }),
    ),
  )
}

test('of four threads that miss one page at once exactly one leads, a thousand times', async () => {
  const perThread = (await onThreads(`
    const said = []
    for (let round = 0; round < 1000; round++) {
      meet()
      const answer = flights.begin('https://www.example.org/', ${now}, ${PATIENCE})
      said.push(answer === 'flies' && !flights.wait('https://www.example.org/') ? 'landed' : answer)
      meet()
      if (answer === 'leads' && !flights.end('https://www.example.org/')) said[round] = 'nobody waits'
    }
    return said`)) as string[][]
  for (let round = 0; round < 1000; round++)
    assert.deepEqual(
      perThread.map((said) => said[round]).sort(),
      ['flies', 'flies', 'flies', 'leads'],
      `round ${round}`,
    )
})

test('a thousand begins of the same keys on four threads: never two lead one key, no waiter is forgotten', async () => {
  const perThread = (await onThreads(`
    let led = 0
    let faults = 0
    const waited = []
    meet()
    for (let i = 0; i < 1000; i++) {
      const key = i % 7
      const answer = flights.begin('/' + key, ${now}, ${PATIENCE})
      if (answer === 'alone') faults++
      if (answer === 'leads') {
        led++
        if (Atomics.add(shared, 10 + key, 1) !== 0) faults++
        if (Atomics.sub(shared, 10 + key, 1) !== 1) faults++
        // Announced: every waiter of this key may look again.
        if (flights.end('/' + key)) Atomics.add(shared, 20 + key, 1)
      } else if (flights.wait('/' + key)) waited.push(key)
    }
    meet()
    // All have landed, so whoever marked himself as waiting was announced by some leader.
    for (const key of waited) if (Atomics.load(shared, 20 + key) === 0) faults++
    return { led, faults }`)) as { led: number; faults: number }[]
  assert.deepEqual(
    perThread.map(({ faults }) => faults),
    [0, 0, 0, 0],
  )
  assert.ok(perThread.some(({ led }) => led > 0))
})
