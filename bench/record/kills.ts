/**
 * Kills recorders and looks at what they leave: is the file whole, is the chain whole, is anything lost that
 * was committed, is anything there twice?
 *
 * Half of the victims end themselves before a statement chosen by chance, so that every kind of write is
 * met; the others are killed from outside at a time chosen by chance, in the middle of whatever the
 * system is doing for them. One file lives through many deaths.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openForReading, Statements, verify } from '#record'
import { seeded } from '../load/random.ts'
import { REQUESTS_PER_SECOND } from './traffic.ts'

export interface KillsOptions {
  readonly kills: number
  readonly seed: number
  /** Files that suffer at the same time. */
  readonly lanes?: number
  /** Deaths of one file before a new one is begun. */
  readonly deaths?: number
  readonly onProgress?: (done: number) => void
}

export interface KillsResult {
  readonly kills: number
  readonly byThemselves: number
  readonly committedSeconds: number
  /** Seconds that were told as committed and are not there: none, if the promise holds. */
  readonly lostSeconds: number
  /** Whole seconds that were committed before they could be told. */
  readonly untoldSeconds: number
  readonly segments: number
  readonly faults: readonly string[]
}

const VICTIM = new URL('./victim.ts', import.meta.url).pathname
/** Statements of a victim: opening takes some twenty, a second four. */
const MOST_STATEMENTS = 1500
const MOST_DELAY_MS = 40
/** The chain is read whole after so many deaths: it takes a while. */
const VERIFY_EVERY = 25

interface Sum {
  kills: number
  byThemselves: number
  committedSeconds: number
  lostSeconds: number
  untoldSeconds: number
  segments: number
  readonly faults: string[]
}

export async function killRepeatedly(options: KillsOptions): Promise<KillsResult> {
  const { kills, seed, lanes = 1, deaths = 200 } = options
  const sum: Sum = {
    kills: 0,
    byThemselves: 0,
    committedSeconds: 0,
    lostSeconds: 0,
    untoldSeconds: 0,
    segments: 0,
    faults: [],
  }
  const folder = mkdtempSync(join(tmpdir(), 'digue-kills-'))
  const random = seeded(seed)
  let left = kills
  let files = 0
  try {
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        while (left > 0) {
          const here = Math.min(left, deaths)
          left -= here
          await killOne(join(folder, `record-${files++}.db`), here, { random, folder, sum, ...options })
        }
      }),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return sum
}

interface Context extends KillsOptions {
  readonly random: () => number
  readonly folder: string
  readonly sum: Sum
}

async function killOne(
  file: string,
  deaths: number,
  { random, folder, sum, onProgress }: Context,
): Promise<void> {
  let serial = 0
  for (let death = 1; death <= deaths; death++) {
    const byItself = random() < 0.5
    // Squared: the first statements, where a file is opened and recovered, are met more often.
    const statement = byItself ? 1 + Math.floor(random() ** 2 * MOST_STATEMENTS) : 0
    const told = await live([file, String(serial), String(death), String(statement)], {
      folder,
      delayMs: byItself ? undefined : random() * MOST_DELAY_MS,
    })
    sum.kills++
    if (byItself) sum.byThemselves++
    const isLast = death === deaths
    const found = inspect(file, isLast || death % VERIFY_EVERY === 0, (fault) =>
      sum.faults.push(`death ${death}, statement ${statement}: ${fault}`),
    )
    sum.committedSeconds += told
    sum.lostSeconds += Math.max(0, serial + told - found.serial)
    sum.untoldSeconds += Math.max(0, found.serial - serial - told)
    if (found.serial > serial + told + 1)
      sum.faults.push(`death ${death}: ${found.serial - serial} seconds are there of ${told} that were told`)
    serial = found.serial
    if (isLast) sum.segments += found.segments
    onProgress?.(sum.kills)
  }
}

/** Lets a victim live until it is killed; the number of seconds that it told. */
async function live(
  args: readonly string[],
  { folder, delayMs }: { readonly folder: string; readonly delayMs: number | undefined },
): Promise<number> {
  const child = spawn(process.execPath, ['-C', 'source', VICTIM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Most of a victim's life would be spent reading TypeScript.
    env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') },
  })
  let told = 0
  child.stdout.on('data', (data: Buffer) => {
    if (told === 0 && delayMs !== undefined) setTimeout(() => child.kill('SIGKILL'), delayMs)
    told += data.length
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (signal !== 'SIGKILL') throw new Error(`a victim ended with ${code ?? signal} instead of being killed`)
  return told
}

/** Looks at a file as whoever comes next would find it. */
function inspect(
  file: string,
  thoroughly: boolean,
  fail: (fault: string) => void,
): { serial: number; segments: number } {
  let db: ReturnType<typeof openForReading>
  try {
    db = openForReading(file)
  } catch (error) {
    // Killed before there was a first table.
    if (/no record in it|unable to open/.test((error as Error).message)) return { serial: 0, segments: 0 }
    throw error
  }
  try {
    const record = new Statements(db)
    const check = String(Object.values(record.get('PRAGMA integrity_check(1)') ?? {})[0])
    if (check !== 'ok') fail(`integrity: ${check}`)
    const serial = record.number('SELECT count(*) FROM events WHERE kind = ?', 'edge')
    const highest = record.number(
      "SELECT max(json_extract(data, '$.serial')) FROM events WHERE kind = 'edge'",
    )
    if (serial > 0 && highest !== serial - 1) fail(`${serial} events, the last is number ${highest}`)
    const requests = requestsIn(record)
    if (requests !== serial * REQUESTS_PER_SECOND)
      fail(`${serial} seconds with ${REQUESTS_PER_SECOND} requests each, and ${requests} are recorded`)
    if (thoroughly) {
      const { firstFault } = verify(record)
      if (firstFault !== undefined) fail(`segment ${firstFault.segment}: ${firstFault.message}`)
    }
    return { serial, segments: record.number('SELECT count(*) FROM segments') }
  } finally {
    db.close()
  }
}

/** Each request once: in a minute, in ten seconds that are in no minute yet, or in the journal. */
function requestsIn(record: Statements): number {
  const minutes = record.number('SELECT sum(requests) FROM buckets WHERE level = 60')
  const tens = record.number(
    `SELECT sum(requests) FROM buckets WHERE level = 10
      AND seq > coalesce((SELECT value FROM meta WHERE key = 'rolled.60'), 0)`,
  )
  let journal = 0
  for (const { data } of record.all('SELECT data FROM journal')) {
    const { sites } = JSON.parse(String(data)) as {
      sites: Record<string, { tallies: readonly { count: number }[] }>
    }
    for (const { tallies } of Object.values(sites)) for (const { count } of tallies) journal += count
  }
  return minutes + tens + journal
}
