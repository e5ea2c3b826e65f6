/** The recorder's threads: what comes in on the main thread is on disk, or counted. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { openForReading, openForWriting } from './database.ts'
import { type RecordQueryError, RecordReader } from './record-reader.ts'
import { type Recordable, Recorder } from './recorder.ts'
import { Statements } from './statements.ts'
import { exchangeOf, SETTINGS } from './store.fixture.ts'
import type { WriterNews } from './writer.ts'

const SITE = 'a.example.org'

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'digue-recorder-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function open(file: string, onNews?: (news: WriterNews) => void): Recorder {
  const recorder = new Recorder({
    file,
    settings: SETTINGS,
    secret: Buffer.alloc(32, 1),
    routeOf: (method, target) => `${method} ${target.split('?')[0]}`,
    capacityOf: () => ({ inFlight: 3, limit: 20 }),
    ...(onNews ? { onNews } : {}),
  })
  after(() => recorder.close())
  return recorder
}

function report(count: number, records: Recordable['records'] = [exchangeOf()]): Recordable {
  return {
    thread: 0,
    sites: {
      [SITE]: {
        tallies: [{ lane: 'unproven', action: 'relay', reason: '', count, originMs: count }],
        queueDelayMs: 0,
        queueDelayMaxMs: 0,
        waiting: 0,
        longLived: 0,
        latency: [count],
      },
    },
    records,
    recordsLost: count - records.length,
  }
}

/** Requests in the file: in the periods, and in the journal of the one that is running. */
function recorded(file: string): number {
  if (!existsSync(file)) return 0
  const db = openForReading(file)
  try {
    const record = new Statements(db)
    const journal = record.all('SELECT data FROM journal').reduce((sum, { data }) => {
      const { sites } = JSON.parse(String(data)) as {
        sites: Record<string, { tallies: readonly { count: number }[] }>
      }
      return sum + Object.values(sites).reduce((all, { tallies }) => all + (tallies[0]?.count ?? 0), 0)
    }, 0)
    return journal + record.number('SELECT sum(requests) FROM buckets WHERE level = 10')
  } finally {
    db.close()
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(50)
}

const isOpen = (recorder: Recorder) => recorder.status().writtenAtMs > 0

test('each request is on disk or counted as lost, however many come at once', async () => {
  const file = join(scratch(), 'record.db')
  const recorder = open(file)
  for (let i = 0; i < 3000; i++) recorder.take(report(2))
  await until(() => isOpen(recorder))
  await until(() => recorded(file) + recorder.status().requestsLost === 6000)
  assert.ok(recorded(file) >= 256)
  await recorder.close()
  assert.equal(recorder.status().state, 'closed')
})

test('what records stand for adds up to the requests, and distinct clients are counted over all of them', async () => {
  const file = join(scratch(), 'record.db')
  const recorder = open(file)
  const records = Array.from({ length: 500 }, (_, i) =>
    exchangeOf({ client: i % 2 === 0 ? `192.0.2.${i % 200}` : `2001:db8:0:${i % 50}::${i}`, asn: i % 9 }),
  )
  recorder.take(report(5000, records))
  // The period's end is waited for, wherever in it the test began.
  const reader = new RecordReader(file)
  after(() => reader.close())
  const ask = { site: SITE, fromMs: 0, toMs: 1e13, stepS: 10 }
  await until(() => isOpen(recorder))
  let gauges = await reader.gauges(ask)
  while (gauges.length === 0) {
    await delay(200)
    gauges = await reader.gauges(ask)
  }
  const top = await reader.top({ ...ask, dimension: 'network', most: 100 })
  const weights = top.names.reduce((sum, { count }) => sum + count, 0)
  // Each is rounded.
  assert.ok(Math.abs(weights - 5000) <= 9, String(weights))
  assert.equal(top.names.length, 9)
  const { clients, requests, hasAllClients, inFlight, limit } = gauges[0]!
  assert.equal(requests, 5000)
  // 100 v4 addresses, and 25 networks of /64.
  assert.ok(Math.abs(clients - 125) <= 8, String(clients))
  assert.deepEqual({ hasAllClients, inFlight, limit }, { hasAllClients: false, inFlight: 3, limit: 20 })
})

test('a writer that dies is started again, and what came meanwhile is counted', async () => {
  const file = join(scratch(), 'record.db')
  const news: string[] = []
  const recorder = open(file, ({ kind }) => news.push(kind))
  recorder.take(report(4))
  await until(() => isOpen(recorder) && recorded(file) === 4)
  recorder.kill()
  await until(() => news.includes('failing'))
  assert.equal(recorder.status().state, 'failing')
  recorder.take(report(3))
  recorder.event({ atMs: 0, kind: 'operator', site: '', data: {} })
  assert.equal(recorder.status().requestsLost, 3)
  assert.equal(recorder.status().eventsLost, 1)
  await recorder.close()
})

test('a file that cannot be opened: said once, and all is counted', async () => {
  const folder = scratch()
  mkdirSync(join(folder, 'record.db'))
  const news: WriterNews[] = []
  const recorder = open(join(folder, 'record.db'), (one) => news.push(one))
  await until(() => recorder.status().state === 'failing')
  recorder.take(report(7))
  await until(() => recorder.status().requestsLost === 7)
  assert.equal(news.length, 1)
})

test('a question that takes too long ends, and so does only that one', async () => {
  const file = join(scratch(), 'record.db')
  openForWriting(file).close()
  const hasty = new RecordReader(file, { limitMs: 1 })
  const patient = new RecordReader(file, { limitMs: 60_000 })
  after(() => Promise.all([hasty.close(), patient.close()]))
  const ask = { fromMs: 0, toMs: 1e13 }
  // No thread starts within a millisecond.
  await assert.rejects(hasty.events(ask), { code: 'DIGUE_RECORD_TIMEOUT' })
  await assert.rejects(hasty.events(ask), { code: 'DIGUE_RECORD_TIMEOUT' })
  assert.deepEqual(await patient.events(ask), [])
  assert.equal((await patient.summary(0)).segments, 0)
})

test('questions wait in line, so many and no more; a closed record answers none', async () => {
  const file = join(scratch(), 'record.db')
  openForWriting(file).close()
  const reader = new RecordReader(file, { room: 2 })
  const ask = { fromMs: 0, toMs: 1e13 }
  const asked = Array.from({ length: 5 }, () =>
    reader.samples(ask).then(
      () => 'answered',
      (error: RecordQueryError) => error.code,
    ),
  )
  assert.deepEqual(await Promise.all(asked), [
    'answered',
    'answered',
    'answered',
    'DIGUE_RECORD_BUSY',
    'DIGUE_RECORD_BUSY',
  ])
  const last = reader.samples(ask)
  await Promise.all([reader.close(), assert.rejects(last, { code: 'DIGUE_RECORD_CLOSED' })])
  await assert.rejects(reader.samples(ask), { code: 'DIGUE_RECORD_CLOSED' })
})

test('a record that is not there is an error of the question, and is found once it is', async () => {
  const file = join(scratch(), 'record.db')
  const reader = new RecordReader(file)
  after(() => reader.close())
  await assert.rejects(reader.summary(0), { code: 'DIGUE_RECORD_QUERY' })
  openForWriting(file).close()
  assert.equal((await reader.summary(0)).events, 0)
})
