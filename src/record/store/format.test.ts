/** FORMAT.md is what others read a record by: it must not fall behind. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { LEAVES, type LeafSeal } from './leaves.ts'
import { EVENT_KINDS } from './recorded.ts'
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.ts'
import { HOUR_MS, TestRecord } from './store.fixture.ts'

const FORMAT = readFileSync(new URL('../FORMAT.md', import.meta.url), 'utf8')

test('it names every table and column, kind of event and leaf, and the version', () => {
  using record = new TestRecord()
  record.second()
  const missing = record.read((db) =>
    db
      .all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .flatMap(({ name }) => [
        String(name),
        ...db.all(`PRAGMA table_info(${String(name)})`).map((column) => String(column['name'])),
      ])
      .concat(
        EVENT_KINDS,
        LEAVES.map(({ name }) => name),
      )
      .filter((name) => !FORMAT.includes(`\`${name}\``)),
  )
  assert.deepEqual(missing, [])
  assert.match(FORMAT, new RegExp(`format, version ${SCHEMA_VERSION}\n`))
  assert.ok(FORMAT.includes(`0x${APPLICATION_ID.toString(16)}`))
})

test('a leaf can be verified by the statements it gives, a seal by the array it shows', () => {
  using record = new TestRecord()
  for (let hour = 0; hour < 7; hour++) record.run(HOUR_MS, undefined, 60_000)
  record.run(60_000)
  const sql = /```sql\n([^`]+)```/.exec(FORMAT)![1]!
  const statements = sql.split(';').filter((part) => part.trim() !== '')
  assert.equal(statements.length, 3)
  record.read((db) => {
    const segment = db.get('SELECT * FROM segments WHERE number = 7')!
    const sha256 = createHash('sha256')
    let lines = 0
    for (const statement of statements)
      for (const row of db.all(statement)) {
        lines++
        sha256.update(`${String(Object.values(row)[0])}\n`)
      }
    const leaves = JSON.parse(String(segment['leaves'])) as LeafSeal[]
    assert.deepEqual(
      leaves.find(([name]) => name === 'tens'),
      ['tens', lines, sha256.digest('hex')],
    )
    const columns = ['number', 'previous', 'opened_ms', 'sealed_ms', 'first_seq', 'last_seq', 'leaves']
    const sealed = JSON.stringify(['digue-segment-1', ...columns.map((column) => segment[column])])
    assert.equal(createHash('sha256').update(sealed).digest('hex'), segment['hash'])
  })
})
