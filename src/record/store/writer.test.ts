import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { openForWriting } from './database.ts'
import { addHold, endHold } from './holds.ts'
import { Statements } from './statements.ts'
import { BEGIN_MS, DAY_MS, exchangeOf, HOUR_MS, reportOf, SETTINGS, TestRecord } from './store.fixture.ts'

const SPAN = { fromMs: 0, toMs: BEGIN_MS + 1000 * DAY_MS }
const SITE = 'a.example.org'

test('a second is in the journal, ten are a period, and nothing is counted twice', () => {
  using record = new TestRecord()
  for (let i = 0; i < 4; i++) record.second(reportOf({ count: 3 }))
  assert.equal(record.requests(), 0)
  assert.equal(
    record.read((db) => db.number('SELECT count(*) FROM journal')),
    4,
  )
  for (let i = 0; i < 7; i++) record.second(reportOf({ count: 3 }))
  assert.equal(record.requests(), 30)
  assert.equal(
    record.read((db) => db.number('SELECT count(*) FROM journal')),
    1,
  )
})

test('a writer that is opened anew goes on with the seconds of the one before', () => {
  using record = new TestRecord()
  for (let i = 0; i < 5; i++) record.second(reportOf({ count: 2, clients: [i * 0x1234567] }))
  // As a kill does: no close.
  record.reopened()
  for (let i = 0; i < 6; i++) record.second(reportOf({ count: 2 }))
  assert.equal(record.requests(), 20)
  const [bucket] = record.read((db) => record.answer.gauges(db, { site: SITE, ...SPAN, stepS: 10 }))
  assert.equal(bucket?.clients, 5)
})

test('tens become minutes, minutes hours and hours days, with equal sums', () => {
  using record = new TestRecord()
  record.run(
    26 * HOUR_MS,
    () => reportOf({ count: 5, clients: [Math.trunc(record.nowMs / 60_000) << 20] }),
    60_000,
  )
  const perLevel = [10, 60, 3600, 86_400].map((level) => record.requests(SITE, level))
  const removed = record.read((db) => db.number("SELECT count(*) FROM removals WHERE leaf = 'tens'"))
  assert.ok(removed > 10)
  assert.ok(perLevel[0]! < 5 * 60 * 14)
  assert.equal(perLevel[1], 5 * (26 * 60 - 1))
  assert.equal(perLevel[2], 5 * 60 * 25)
  assert.equal(perLevel[3], 5 * 60 * 12)
  const day = record.read((db) => db.get('SELECT * FROM buckets WHERE level = 86400'))
  assert.equal(day?.['all_clients'], 1)
  assert.deepEqual(JSON.parse(String(day?.['latency'])).slice(0, 3), [0, 0, 5 * 60 * 12])
  assert.ok(record.verify().ok)
})

test('what is asked comes from the finest level that is kept of that time', () => {
  using record = new TestRecord()
  record.run(30 * HOUR_MS, () => reportOf({ count: 5 }), 60_000)
  const ask = (fromMs: number, toMs: number, stepS: number) =>
    record.read((db) => record.answer.series(db, { site: SITE, fromMs, toMs, stepS, by: 'action' }))
  const late = ask(record.nowMs - HOUR_MS, record.nowMs, 10)
  assert.equal(late.level, 10)
  assert.equal(late.points.length, 60)
  assert.ok(
    late.points.every(({ key, count, originMs }) => key === 'relay' && count === 5 && originMs === 50),
  )
  const early = ask(BEGIN_MS, BEGIN_MS + HOUR_MS, 10)
  assert.equal(early.level, 60)
  assert.equal(early.stepS, 60)
  assert.equal(early.points.length, 60)
  const top = record.read((db) =>
    record.answer.top(db, {
      site: SITE,
      fromMs: BEGIN_MS,
      toMs: BEGIN_MS + HOUR_MS,
      dimension: 'path',
      most: 3,
    }),
  )
  assert.deepEqual(top.names, [{ name: 'GET /article/{n}', count: 300, originMs: 3000, bytes: 300_000 }])
})

test('of a thousand paths the heaviest hundred are named, and the others are one sum', () => {
  using record = new TestRecord()
  const exchanges = Array.from({ length: 1000 }, (_, i) => ({
    record: exchangeOf({ asn: i, ray: `r${i}` }),
    route: `GET /x${i}`,
    weight: i < 50 ? 10 : 1,
  }))
  record.second(reportOf({ count: 1450, exchanges }))
  record.pass(10_000)
  record.second()
  const top = record.read((db) => record.answer.top(db, { site: SITE, ...SPAN, dimension: 'path', most: 50 }))
  assert.ok(top.names.every(({ name, count }) => count === 10 && Number(name.slice(6)) < 50))
  assert.equal(top.rest.count, 950)
  assert.equal(
    record.read((db) => db.number('SELECT count(*) FROM tops WHERE dimension = 1')),
    101,
  )
  assert.equal(
    record.read((db) => db.number('SELECT count(*) FROM samples')),
    20,
  )
})

test('hostile texts are kept as they are, up to their bound', () => {
  using record = new TestRecord()
  const hostile = [
    '<script>alert(1)</script>',
    "'; DROP TABLE samples; --",
    'a\u0000b\u0001\u001f\u007f\u0085',
    '\u202e\u2066gnp.exe\u2069',
    '😀\u{10ffff}é',
    '"\\\n\r\t',
    '[["tens",1,"x"]]',
  ]
  const exchanges = hostile.map((text) => ({
    record: exchangeOf({
      target: `/${text}?${text}`,
      userAgent: text,
      referer: text,
      method: text,
      client: text,
    }),
    route: text,
    weight: 1,
  }))
  record.second(reportOf({ exchanges }))
  record.writer.event({ atMs: record.nowMs, kind: 'operator', site: '', data: { note: hostile } })
  record.run(2 * HOUR_MS)
  const samples = record.read((db) => record.answer.samples(db, { ...SPAN, site: SITE }))
  for (const text of hostile) {
    const found = samples.find(({ userAgent }) => userAgent === text)
    assert.equal(found?.path, `/${text}`.split('?')[0])
    assert.equal(found?.referer, text)
    assert.equal(found?.client, text)
    assert.equal(found?.route, text)
  }
  const [event] = record.read((db) => record.answer.events(db, { ...SPAN, kind: 'operator' }))
  assert.deepEqual(event?.data, { note: hostile })
  const tops = record.read((db) =>
    record.answer.top(db, { site: SITE, ...SPAN, dimension: 'path', most: 99 }),
  )
  assert.deepEqual(new Set(tops.names.map(({ name }) => name)), new Set([...hostile, 'GET /article/{n}']))
  assert.ok(record.verify().ok)
  // Beyond the bound, and with half a character.
  record.second(
    reportOf({
      exchanges: [
        {
          record: exchangeOf({ userAgent: '😀'.repeat(400), referer: 'a\ud800' }),
          route: 'x'.repeat(9999),
          weight: 1,
        },
      ],
    }),
  )
  record.writer.event({ atMs: record.nowMs, kind: 'operator', site: '', data: 'y'.repeat(50_000) })
  record.run(20_000)
  const last = record
    .read((db) => record.answer.samples(db, { ...SPAN, most: 5000 }))
    .find(({ userAgent }) => userAgent.startsWith('😀😀'))
  assert.equal(last?.userAgent.length, 512)
  assert.equal(last?.referer, 'a\ufffd')
  assert.equal(last?.route.length, 512)
  assert.equal(record.news.filter(({ kind }) => kind === 'failing').length, 0)
})

describe('the chain', () => {
  const alterations: Readonly<Record<string, string>> = {
    'a count is raised':
      'UPDATE tallies SET count = count + 1 WHERE bucket = (SELECT seq FROM buckets WHERE segment = 2 LIMIT 1)',
    'a network is renamed':
      "UPDATE tops SET name = 'AS1' WHERE dimension = 0 AND bucket = (SELECT seq FROM buckets WHERE segment = 2 LIMIT 1)",
    'a period is taken out':
      'DELETE FROM buckets WHERE seq = (SELECT seq FROM buckets WHERE segment = 2 LIMIT 1)',
    'a name is added': "INSERT INTO tops SELECT seq, 2, 'sX', 1, 1, 1 FROM buckets WHERE segment = 2 LIMIT 1",
    'an address is exchanged':
      "UPDATE samples SET client = '198.51.100.1' WHERE seq = (SELECT max(seq) FROM samples WHERE segment = 2)",
    'an address is taken out without a note':
      'UPDATE samples SET client = NULL WHERE seq = (SELECT max(seq) FROM samples WHERE segment = 2)',
    'a sample is added':
      'INSERT INTO samples SELECT 9999999, 2, slot, at_ms, site, ray, action, reason, lane, asn, prefix, method, path, route, version, user_agent, ja4, status, bytes, duration_ms, origin_ms, signature, rule, list, weight, mark, client, query, referer FROM samples WHERE segment = 2 LIMIT 1',
    'a time is shifted': 'UPDATE events SET at_ms = at_ms - 1 WHERE segment = 2',
    'all events of a segment are taken out': 'DELETE FROM events WHERE segment = 2',
    'a site is renamed': "UPDATE sites SET name = 'b.example.org' WHERE name = 'a.example.org'",
    'a segment is taken out': 'DELETE FROM segments WHERE number = 2',
    'a seal is forged': "UPDATE segments SET hash = 'abc' WHERE number = 2",
    'the time of a seal is changed': 'UPDATE segments SET sealed_ms = sealed_ms + 1 WHERE number = 2',
    'leaves are left out': "UPDATE segments SET leaves = '[]' WHERE number = 2",
    'leaves are nonsense': "UPDATE segments SET leaves = '{{' WHERE number = 2",
    'a removal is invented in a sealed segment':
      "INSERT INTO removals VALUES (8888888, 2, 1, 'tens', 2, 'age')",
  }

  test('a record that nobody touched is whole, and says what is not sealed yet', () => {
    using record = sealedRecord()
    const result = record.verify()
    assert.equal(result.firstFault, undefined)
    assert.equal(result.ok, true)
    assert.equal(result.segments, 4)
    assert.ok(result.unsealedRows > 0)
    const sealed = record.news.flatMap((news) => (news.kind === 'sealed' ? [news.hash] : []))
    assert.equal(sealed.length, 4)
    assert.equal(result.head, sealed[3])
    assert.equal(record.verify(sealed[1]).ok, true)
    assert.match(record.verify('0'.repeat(64)).firstFault!.message, /cut off/)
  })

  for (const [what, sql] of Object.entries(alterations))
    test(`${what}: the first altered segment is named`, () => {
      using record = sealedRecord()
      const db = new DatabaseSync(record.file)
      assert.ok(Number(db.prepare(sql).run().changes) > 0, 'nothing was altered')
      db.close()
      const result = record.verify()
      assert.equal(result.ok, false)
      const first = what === 'a site is renamed' ? 1 : what === 'a segment is taken out' ? 3 : 2
      assert.equal(result.firstFault?.segment, first, `${result.firstFault?.message}`)
    })

  test('cutting off the end shows only against a hash noted elsewhere', () => {
    using record = sealedRecord()
    const { head } = record.verify()
    record.writer.close(record.nowMs, record.steadyMs)
    const db = new DatabaseSync(record.file)
    for (const table of ['buckets', 'samples', 'events', 'removals'])
      db.exec(`DELETE FROM ${table} WHERE segment >= 4`)
    db.exec('DELETE FROM segments WHERE number >= 4')
    for (const table of ['tallies', 'tops'])
      db.exec(`DELETE FROM ${table} WHERE NOT EXISTS (SELECT 1 FROM buckets WHERE seq = bucket)`)
    db.close()
    assert.equal(record.verify().ok, true)
    assert.equal(record.verify(head).ok, false)
  })

  function sealedRecord(): TestRecord {
    const record = new TestRecord()
    for (let hour = 0; hour < 4; hour++) {
      record.writer.event({
        atMs: record.nowMs,
        kind: 'posture',
        site: SITE,
        data: { posture: 'calm', hour },
      })
      record.run(HOUR_MS)
    }
    record.run(60_000)
    return record
  }
})

describe('removal', () => {
  test('age takes fine periods, further samples and addresses, and the chain holds', () => {
    using record = new TestRecord({ settings: { ...SETTINGS, addressesMs: 20 * HOUR_MS } })
    record.run(50 * HOUR_MS, undefined, 60_000)
    const at = (ms: number) => record.nowMs - ms
    record.read((db) => {
      assert.equal(
        db.number('SELECT count(*) FROM samples WHERE client IS NOT NULL AND at_ms < ?', at(22 * HOUR_MS)),
        0,
      )
      assert.ok(
        db.number('SELECT count(*) FROM samples WHERE client IS NOT NULL AND at_ms > ?', at(18 * HOUR_MS)) >
          0,
      )
      assert.equal(
        db.number("SELECT count(*) FROM samples WHERE mark = '' OR mark IS NULL OR prefix != '192.0.2.0/24'"),
        0,
      )
      assert.equal(
        db.number('SELECT count(*) FROM buckets WHERE level = 10 AND at < ?', at(14 * HOUR_MS) / 1000),
        0,
      )
    })
    const [oldest] = record.read((db) => record.answer.samples(db, { ...SPAN, most: 1 }))
    assert.equal(oldest?.client, undefined)
    assert.equal(oldest?.query, undefined)
    assert.equal(oldest?.path, '/article/7')
    const result = record.verify()
    assert.equal(result.firstFault, undefined)
    assert.ok(result.removedLeaves > 60)
  })

  test('truncated: the keyed hash goes, too', () => {
    using record = new TestRecord({
      settings: { ...SETTINGS, addressesMs: 2 * HOUR_MS, addressesBecome: 'truncated' },
    })
    record.run(6 * HOUR_MS, undefined, 60_000)
    record.read((db) =>
      assert.ok(db.number("SELECT count(*) FROM samples WHERE mark IS NULL AND prefix = '192.0.2.0/24'") > 0),
    )
    assert.equal(record.verify().firstFault, undefined)
  })

  test('the file stays under its bound: the finest goes first, events and seals stay', () => {
    const bytes = 1_500_000
    using record = new TestRecord({ settings: { ...SETTINGS, bytes } })
    const paths = Array.from({ length: 60 }, (_, i) => ({
      record: exchangeOf({ asn: i }),
      route: `GET /some/longer/path/${i}`,
      weight: 3,
    }))
    record.writer.event({ atMs: record.nowMs, kind: 'start', site: '', data: {} })
    record.run(8 * HOUR_MS, () => reportOf({ count: 180, exchanges: paths }))
    record.read((db) => {
      assert.ok(db.number("SELECT count(*) FROM removals WHERE reason = 'room' AND leaf = 'tens'") > 0)
      assert.equal(db.number("SELECT count(*) FROM removals WHERE leaf IN ('hours', 'days', 'events')"), 0)
      assert.equal(db.number("SELECT count(*) FROM events WHERE kind = 'start'"), 1)
    })
    // What was written since the last seal cannot go yet.
    assert.ok(record.writer.status().bytes < 4 * bytes, String(record.writer.status().bytes))
    assert.equal(record.requests(SITE, 3600), 180 * 360 * 7)
    assert.equal(record.verify().firstFault, undefined)
  })

  test('a hold keeps its window from removal until it ends, and is in the chain', () => {
    using record = new TestRecord({ settings: { ...SETTINGS, addressesMs: 2 * HOUR_MS } })
    record.run(HOUR_MS)
    const other = new Statements(openForWriting(record.file))
    const window = { site: SITE, fromMs: BEGIN_MS, toMs: BEGIN_MS + HOUR_MS, reason: 'case 12' }
    const hold = addHold(other, { ...window, expiresAtMs: BEGIN_MS + 90 * DAY_MS }, record.nowMs)
    record.run(20 * HOUR_MS, undefined, 60_000)
    const held = () =>
      record.read((db) =>
        db.number('SELECT count(*) FROM samples WHERE client IS NOT NULL AND at_ms < ?', BEGIN_MS + HOUR_MS),
      )
    const tens = () =>
      record.read((db) =>
        db.number('SELECT count(*) FROM buckets WHERE level = 10 AND at < ?', BEGIN_MS / 1000 + 3600),
      )
    assert.equal(held(), 360)
    assert.equal(tens(), 360)
    assert.ok(endHold(other, hold.id, record.nowMs))
    other.db.close()
    record.run(HOUR_MS)
    assert.equal(held(), 0)
    assert.equal(tens(), 0)
    const events = record.read((db) => record.answer.events(db, { ...SPAN, kind: 'hold' }))
    assert.deepEqual(
      events.map(({ data }) => (data as { change: string }).change),
      ['made', 'ended'],
    )
    assert.equal(record.verify().firstFault, undefined)
  })
})

describe('the clock', () => {
  test('set back an hour: all is kept, readable and in order, and the chain holds', () => {
    using record = new TestRecord()
    record.run(90 * 60_000)
    record.nowMs -= HOUR_MS
    record.run(3 * HOUR_MS)
    assert.equal(record.requests(), 90 * 6 + 3 * 360)
    assert.equal(record.requests(SITE, 3600), 360 * 4)
    const [event] = record.read((db) => record.answer.events(db, { ...SPAN, kind: 'clock' }))
    assert.deepEqual(event?.data, { byMs: -HOUR_MS })
    const order = record.read((db) => db.all('SELECT seq, at FROM buckets WHERE level = 10 ORDER BY seq'))
    assert.ok(order.some(({ at }, i) => i > 0 && Number(at) < Number(order[i - 1]!['at'])))
    assert.equal(record.verify().firstFault, undefined)
  })

  test('set forward a year for a minute: nothing is removed for its age', () => {
    using record = new TestRecord()
    record.run(3 * HOUR_MS)
    const before = record.read((db) => db.number('SELECT count(*) FROM buckets WHERE level = 10'))
    record.nowMs += 365 * DAY_MS
    record.run(60_000)
    record.nowMs -= 365 * DAY_MS
    record.run(60_000)
    const after = record.read((db) => db.number('SELECT count(*) FROM buckets WHERE level = 10'))
    assert.ok(after >= before)
    assert.equal(record.verify().firstFault, undefined)
  })
})

describe('a disk that fails', () => {
  test('full: it is said once, counted, and gone on with a minute after there is room', () => {
    let isFull = false
    let opened: DatabaseSync | undefined
    const fill = (db: DatabaseSync) => db.exec(`PRAGMA max_page_count = ${isFull ? 1 : 1_000_000}`)
    using record = new TestRecord({
      open: (file) => {
        opened = openForWriting(file)
        fill(opened)
        return opened
      },
    })
    record.run(60_000)
    isFull = true
    fill(opened!)
    const exchanges = Array.from({ length: 100 }, (_, i) => ({
      record: exchangeOf(),
      route: `GET /a/path/that/takes/room/${i}`,
      weight: 1,
    }))
    for (let i = 0; i < 200; i++) record.second(reportOf({ count: 4, exchanges }))
    assert.deepEqual(
      record.news.map(({ kind }) => kind),
      ['failing'],
    )
    const status = record.writer.status()
    assert.equal(status.state, 'failing')
    assert.match(status.fault, /make room/)
    assert.ok(status.requestsLost >= 600, String(status.requestsLost))
    isFull = false
    for (let i = 0; i < 130; i++) record.second(reportOf({ count: 4 }))
    assert.deepEqual(
      record.news.map(({ kind }) => kind),
      ['failing', 'recording'],
    )
    assert.equal(record.writer.status().state, 'recording')
    const [event] = record.read((db) => record.answer.events(db, { ...SPAN, kind: 'recorder' }))
    assert.equal((event!.data as { fault: string }).fault, 'full')
    assert.equal(record.verify().firstFault, undefined)
  })
})

test('a folder that may not be written, a file of somebody else, a newer one: said, and left as it is', () => {
  for (const [make, expected] of [
    [
      (file: string) => writeFileSync(file, 'not SQLite, but long enough to look at'.repeat(100)),
      /not a record/,
    ],
    [
      (file: string) => {
        const db = new DatabaseSync(file)
        db.exec('CREATE TABLE theirs (x)')
        db.close()
      },
      /not a record of Digue/,
    ],
    [
      (file: string) => {
        openForWriting(file).close()
        const db = new DatabaseSync(file)
        db.exec('PRAGMA user_version = 99')
        db.close()
      },
      /version 99/,
    ],
    [(file: string) => mkdirSync(file), /./],
  ] as const) {
    using record = new TestRecord()
    make(record.file)
    const before = statSync(record.file).size
    for (let i = 0; i < 100; i++) record.second(reportOf())
    assert.equal(record.news.length, 1)
    const [news] = record.news
    assert.ok(news?.kind === 'failing')
    assert.match(news.message, expected)
    assert.equal(statSync(record.file).size, before)
    assert.equal(record.writer.status().requestsLost, 100)
  }
})

test('a journal that cannot be written as a period stops recording for a minute, not for ever', () => {
  using record = new TestRecord()
  record.second(reportOf())
  const db = new DatabaseSync(record.file)
  for (const data of [
    '{"sites":{"a.example.org":{"tallies":[{"lane":null,"action":"relay","reason":"","count":1,"originMs":0}],"tops":{"network":[],"path":[],"signature":[]},"latency":[],"gauges":{},"clients":[]}},"picks":[]}',
    'not JSON',
    '{"sites":{"a.example.org":{}},"picks":7}',
  ])
    db.prepare('INSERT INTO journal (at, data) VALUES (?, ?)').run(BEGIN_MS / 1000, data)
  db.close()
  record.reopened()
  for (let i = 0; i < 120; i++) record.second(reportOf())
  assert.deepEqual(
    record.news.map(({ kind }) => kind),
    ['failing', 'recording'],
  )
  assert.ok(record.requests() > 30)
  assert.equal(record.verify().firstFault, undefined)
})

test('one damaged period does not stop those after it from being summed up', () => {
  using record = new TestRecord()
  record.run(30_000)
  const db = new DatabaseSync(record.file)
  db.exec("UPDATE buckets SET latency = '{{', clients = x'00' WHERE seq = 1")
  db.close()
  record.run(120_000)
  assert.equal(record.requests(SITE, 60), 12)
  const [first] = record.read((db) => record.answer.gauges(db, { site: SITE, ...SPAN, stepS: 60 }))
  assert.equal(first?.requests, 6)
})

test('the file is for its owner only', () => {
  using record = new TestRecord()
  record.second(reportOf())
  for (const name of readdirSync(record.folder))
    assert.equal(statSync(join(record.folder, name)).mode & 0o077, 0, name)
})
