/**
 * A recorder that is killed: `victim.ts <file> <serial> <seed> <statement>`.
 *
 * Each second of its virtual clock holds seven requests and one event with a serial number; when it is
 * committed, one byte goes to standard output. It ends itself with SIGKILL before the given statement, or
 * goes on until somebody else does (0).
 */
import { writeSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { openForWriting, RecordWriter } from '#record'
import { ADDRESS_KEY, BEGIN_MS, reportOf, SETTINGS } from './traffic.ts'

/** Nobody killed it: an end all the same. */
const MOST_SECONDS = 20_000
/** Every so often a leap of some minutes, so that segments are sealed and periods rolled up. */
const LEAP_EVERY = 20
const LEAP_MS = 300_000
const SECOND_MS = 1000

const [file = '', serialText = '0', seedText = '1', statementText = '0'] = process.argv.slice(2)
const fatal = Number(statementText)
let statements = 0

function point(): void {
  if (++statements === fatal) process.kill(process.pid, 'SIGKILL')
}

/** Counts what changes the file. */
function watched(db: DatabaseSync): DatabaseSync {
  const exec = db.exec.bind(db)
  const prepare = db.prepare.bind(db)
  db.exec = (sql) => {
    point()
    exec(sql)
  }
  db.prepare = (sql, ...rest) => {
    const statement = prepare(sql, ...rest)
    const run = statement.run.bind(statement) as (...values: unknown[]) => ReturnType<typeof statement.run>
    statement.run = ((...values: unknown[]) => {
      point()
      return run(...values)
    }) as typeof statement.run
    return statement
  }
  return db
}

const writer = new RecordWriter({
  file,
  settings: SETTINGS,
  markKey: ADDRESS_KEY,
  open: (name) => watched(openForWriting(name)),
})
let serial = Number(serialText)
// Each start of the machine is some time after its end.
let nowMs = BEGIN_MS + (serial + Math.floor(serial / LEAP_EVERY) * 300) * SECOND_MS + Number(seedText)
for (let second = 0; second < MOST_SECONDS; second++) {
  writer.take(reportOf(serial), nowMs, nowMs)
  writer.event({ atMs: nowMs, kind: 'edge', site: '', data: { serial } })
  nowMs += SECOND_MS
  writer.tick(nowMs, nowMs)
  writeSync(1, '.')
  if (++serial % LEAP_EVERY === 0) nowMs += LEAP_MS
}
process.exit(3)
