/**
 * What does the record cost while the edge is flooded, how large does it grow in a day of it, and does it
 * survive being killed? Two reports of 1,250 requests and 512 records each, four times a second, are what two
 * edge threads send at 10,000 requests a second.
 */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openForReading, type Recordable, Recorder, RecordWriter, Statements, verify } from '#record'
import { options, main as run } from './lib/options.ts'
import { tempFolder } from './lib/place.ts'
import { keep } from './lib/runs.ts'
import { ms, table, thousands } from './lib/table.ts'
import { killRepeatedly } from './record/kills.ts'
import { ADDRESS_KEY, BEGIN_MS, exchangeOf, SETTINGS, SITE } from './record/traffic.ts'

const PER_SECOND = 10_000
const THREADS = 2
const REPORT_MS = 250
const RECORDS = 512
/** Of a virtual period of ten seconds; each stands for 50 requests. */
const DAY_EXCHANGES = 2000
const PERIOD_MS = 10_000
const HOUR_MS = 3_600_000

const parsed = options(
  `node -C source bench/record.ts [--seconds 60] [--hours 24] [--kills 10000]

What the record costs at 10,000 requests a second: CPU of the writer's and of the main thread, measured for
some seconds; bytes of a day, in virtual time (some minutes); and, with --kills, deaths.`,
  {
    seconds: { value: '<n>', help: 'Real seconds of recording (60; 0.1 to leave it out).' },
    hours: { value: '<n>', help: 'Virtual hours of flood (24).' },
    kills: { value: '<n>', help: 'Kill -9 so many recorders, and look at each file.' },
    lanes: { value: '<n>', help: 'Recorders that live at the same time (2).' },
    seed: { value: '<n>', help: 'Of the chance by which they die (6).' },
    only: { value: 'cost|day|kills', help: 'One of the three.' },
    json: { help: 'Print JSON.' },
    'no-keep': { help: 'Keep no raw results.' },
  },
)

interface Cost {
  readonly seconds: number
  readonly requestsPerSecond: number
  readonly writerCoreRatio: number
  readonly mainCoreRatio: number
  readonly requestsLost: number
  readonly journalBytes: number
}

function reportOf(serial: number): Recordable {
  const requests = PER_SECOND / THREADS / (1000 / REPORT_MS)
  const relayed = 160
  const records = Array.from({ length: RECORDS }, (_, i) =>
    exchangeOf(
      serial * 7919 + i * 31,
      i < 256 ? { action: 'relay', status: 200, originMs: 12, bytes: 9000 } : {},
    ),
  )
  return {
    thread: serial % THREADS,
    sites: {
      [SITE]: {
        tallies: [
          { lane: 'known', action: 'relay', reason: '', count: relayed / 2, originMs: relayed * 6 },
          { lane: 'paid', action: 'relay', reason: '', count: relayed / 2, originMs: relayed * 6 },
          ...['queue-full', 'evicted', 'hammering', 'price'].map((reason) => ({
            lane: 'unproven',
            action: 'shed',
            reason,
            count: (requests - relayed) / 4,
            originMs: 0,
          })),
        ],
        queueDelayMs: 40,
        queueDelayMaxMs: 900,
        waiting: 60,
        longLived: 3,
        latency: [0, 0, 10, 50, 60, 30, 10],
        signatures: [{ id: 's3f2a91c07b', requests: 900 }],
      },
    },
    records,
    recordsLost: requests - RECORDS,
  }
}

async function cost(seconds: number): Promise<Cost> {
  const file = join(tempFolder(), 'record.db')
  const recorder = new Recorder({
    file,
    settings: SETTINGS,
    secret: ADDRESS_KEY,
    // The real one costs the main thread some 0.3 µs and is another room's.
    routeOf: (method, target) => `${method} ${target.slice(0, target.lastIndexOf('/'))}/{n}?`,
    capacityOf: () => ({ inFlight: 20, limit: 24 }),
  })
  const reports = Array.from({ length: 64 }, (_, serial) => reportOf(serial))
  while (recorder.status().writtenAtMs === 0) await delay(50)
  const before = recorder.status().writerCpuMs
  let mainMs = 0
  const begin = performance.now()
  for (let i = 0; performance.now() - begin < 1000 * seconds; i++) {
    const cpu = process.threadCpuUsage()
    recorder.take(reports[i % reports.length]!)
    const { user, system } = process.threadCpuUsage(cpu)
    mainMs += (user + system) / 1000
    await delay(Math.max(0, begin + ((i + 1) * REPORT_MS) / THREADS - performance.now()))
  }
  const tookMs = performance.now() - begin
  // The last status is of the second before.
  await delay(1100)
  const status = recorder.status()
  const wal = `${file}-wal`
  const result = {
    seconds,
    requestsPerSecond: PER_SECOND,
    writerCoreRatio: (status.writerCpuMs - before) / (tookMs + 1100),
    mainCoreRatio: mainMs / tookMs,
    requestsLost: status.requestsLost,
    journalBytes: existsSync(wal) ? statSync(wal).size : 0,
  }
  await recorder.close()
  return result
}

interface Day {
  readonly hours: number
  readonly requests: number
  readonly fileBytes: number
  readonly usedBytes: number
  readonly segments: number
  readonly tookMs: number
  readonly verifyMs: number
  readonly isWhole: boolean
}

function day(hours: number): Day {
  const file = join(tempFolder(), 'record.db')
  const writer = new RecordWriter({ file, settings: SETTINGS, markKey: ADDRESS_KEY })
  const begin = performance.now()
  const periods = Math.round((hours * HOUR_MS) / PERIOD_MS)
  let nowMs = BEGIN_MS
  let saidAt = begin
  for (let period = 0; period < periods; period++) {
    const report = reportOf(period)
    const weight = (PER_SECOND * PERIOD_MS) / 1000 / DAY_EXCHANGES
    const exchanges = Array.from({ length: DAY_EXCHANGES }, (_, i) => {
      const n = period * 7919 + i * 31
      const path = i % 4 === 0 ? `GET /made-up/${n.toString(36)}` : `GET /search/${i % 300}/{n}?`
      const how = (['relay', 'shed', 'refuse', 'drop'] as const)[i % 4]!
      return { record: exchangeOf(n, { action: how, atMs: nowMs }), route: path, weight }
    })
    const figures = report.sites[SITE]!
    const clients = new Uint32Array(DAY_EXCHANGES).map((_, i) => Math.imul(period * 131 + i, 0x9e3779b1))
    writer.take(
      {
        sites: {
          [SITE]: {
            ...figures,
            tallies: figures.tallies.map((tally) => ({ ...tally, count: tally.count * 80 })),
            gauges: { inFlight: 20, limit: 24, waiting: 60, longLived: 3 },
            clients,
            hasAllClients: false,
          },
        },
        exchanges,
      },
      nowMs,
      nowMs,
    )
    // Ten seconds in one tick: the journal's own traffic is in the other figure.
    for (let second = 0; second < 10; second++) writer.tick((nowMs += 1000), nowMs)
    if (performance.now() - saidAt > 10_000) {
      saidAt = performance.now()
      process.stderr.write(`\r${((100 * period) / periods).toFixed(0)} % of ${hours} h`)
    }
  }
  const tookMs = performance.now() - begin
  writer.close(nowMs, nowMs)
  process.stderr.write('\r')
  const db = openForReading(file)
  const record = new Statements(db)
  const free = record.number('PRAGMA freelist_count') * record.number('PRAGMA page_size')
  const verifyBegin = performance.now()
  const { ok, segments } = verify(record)
  const verifyMs = performance.now() - verifyBegin
  db.close()
  const fileBytes = statSync(file).size
  return {
    hours,
    requests: hours * 3600 * PER_SECOND,
    fileBytes,
    usedBytes: fileBytes - free,
    segments,
    tookMs,
    verifyMs,
    isWhole: ok,
  }
}

await run(async () => {
  const only = parsed.text('only')
  const wants = (part: string) => only === undefined || only === part
  const kills = parsed.number('kills', only === 'kills' ? 10_000 : 0.5)
  const results = {
    cost: wants('cost') ? await cost(parsed.number('seconds', 60)) : undefined,
    day: wants('day') ? day(parsed.number('hours', 24)) : undefined,
    kills:
      wants('kills') && kills >= 1
        ? await killRepeatedly({
            kills,
            seed: parsed.number('seed', 6),
            lanes: parsed.number('lanes', 2),
            onProgress: (done) => {
              if (done % 25 === 0) process.stderr.write(`\r${done} of ${kills} killed`)
            },
          })
        : undefined,
  }
  if (parsed.flag('json')) process.stdout.write(`${JSON.stringify(results, undefined, 1)}\n`)
  else process.stdout.write(`${text(results)}\n`)
  if (!parsed.flag('no-keep')) process.stdout.write(`\n${keep('record', results)}\n`)
})

function text(results: {
  readonly cost: Cost | undefined
  readonly day: Day | undefined
  readonly kills: Awaited<ReturnType<typeof killRepeatedly>> | undefined
}): string {
  const rows: string[][] = []
  if (results.cost !== undefined) {
    const { writerCoreRatio, mainCoreRatio, requestsLost, journalBytes } = results.cost
    rows.push(['writer’s thread, of a core', `${(100 * writerCoreRatio).toFixed(2)} %`, '3 %'])
    rows.push(['main thread, of a core', `${(100 * mainCoreRatio).toFixed(2)} %`, ''])
    rows.push(['requests lost', thousands(requestsLost), '0'])
    rows.push(['write-ahead log, bytes', thousands(journalBytes), ''])
  }
  if (results.day !== undefined) {
    const { hours, fileBytes, usedBytes, segments, verifyMs, isWhole } = results.day
    rows.push([`file after ${hours} h, bytes`, thousands(fileBytes), '200,000,000'])
    rows.push(['of these in use', thousands(usedBytes), ''])
    rows.push(['segments, and whether whole', `${segments}, ${isWhole ? 'yes' : 'NO'}`, ''])
    rows.push(['time to verify', ms(verifyMs), ''])
  }
  if (results.kills !== undefined) {
    const { kills, byThemselves, committedSeconds, lostSeconds, segments, faults } = results.kills
    rows.push(['killed, of these at a statement', `${thousands(kills)}, ${thousands(byThemselves)}`, ''])
    rows.push(['seconds committed', thousands(committedSeconds), ''])
    rows.push(['committed seconds lost', thousands(lostSeconds), '0'])
    rows.push(['segments verified', thousands(segments), ''])
    rows.push(['faults', thousands(faults.length), '0'])
    for (const fault of faults.slice(0, 5)) rows.push([`  ${fault}`, '', ''])
  }
  return table(['at 10,000 requests/s', 'measured', 'bound'], rows)
}
