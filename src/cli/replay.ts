/** `digue replay`: what Digue would have seen and done, from the site's old access logs. */
import { existsSync } from 'node:fs'
import { open, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseDuration } from '#kit'
import { openCountries, openNetworks } from '#networks'
import {
  LocalTimes,
  LogReader,
  looksSorted,
  mergeLogs,
  PackedLogError,
  type SortedLog,
  sortLog,
} from '#record'
import {
  type FileFigures,
  LARGEST_LEARNED,
  type Learned,
  LearnedError,
  Learner,
  parseLearned,
  Replay,
  reportHtml,
  reportOf,
  reportText,
} from '#replay'
import { CliError, EXIT, formatBytes, formatSpan, plain, type Terminal } from './output.ts'

export interface ReplayFlags {
  readonly json?: boolean
  readonly html?: string
  readonly since?: string
  readonly until?: string
  readonly host?: readonly string[]
  readonly site?: string
  readonly capacity?: number
  readonly timeZone?: string
  readonly baseline?: string
  readonly learn?: string
  readonly sort?: boolean
  readonly networks?: string
  readonly progress?: boolean
}

const MOST_FILES = 512
/** Of a file in which not one line is a request: what it is will not become clear later. */
const ENOUGH_BAD = 1000
const KNOWN_FORMATS =
  'Known are: common and combined (nginx, Apache, also with the host before), JSON (Caddy, Traefik, nginx with its usual names), and HAProxy’s HTTP log; gzip and zstd are unpacked.'

export async function replay(
  files: readonly string[],
  flags: ReplayFlags,
  terminal: Terminal,
): Promise<void> {
  if (files.length > MOST_FILES)
    throw new CliError(
      `at most ${MOST_FILES} logs at once, got ${files.length}: join them with cat`,
      EXIT.usage,
    )
  if (files.filter((file) => file === '-').length > 1)
    throw new CliError('standard input (-) can be read once', EXIT.usage)
  const times = timesOf(flags.timeZone)
  const sinceMs = instant(flags.since, '--since', times)
  const untilMs = instant(flags.until, '--until', times)
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs)
    throw new CliError('--since: expected an instant before --until', EXIT.usage)
  for (const [option, file] of [
    ['--html', flags.html],
    ['--learn', flags.learn],
  ] as const)
    if (file !== undefined) mustBeWritable(option, file, files)
  const learned = flags.baseline === undefined ? undefined : await readLearned(flags.baseline)
  const networks = await openNetworks(flags.networks)
  for (const fault of networks.faults) terminal.error(`digue: ${plain(fault)}\n`)

  const learner = flags.learn === undefined ? undefined : new Learner()
  const hosts = flags.host === undefined ? undefined : new Set(flags.host.map((host) => host.toLowerCase()))
  const { site } = flags
  const run = new Replay({
    networks: networks.table,
    times,
    ...(flags.capacity === undefined ? {} : { capacity: flags.capacity }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(site === undefined && hosts === undefined
      ? {}
      : {
          siteOf: (host: string) =>
            hosts === undefined || hosts.has(host) ? (site ?? (host || undefined)) : undefined,
        }),
    ...(learned === undefined ? {} : { learned: (name: string) => siteIn(learned, name) }),
    ...(learner === undefined
      ? {}
      : { onCalm: (name, client, atMs, traits) => learner.take(name, client, atMs, traits) }),
  })

  const figures = await readAll(files, run, { flags, terminal, timeZone: times.zone })
  run.end()
  if (learner !== undefined)
    await writeOwn(flags.learn!, `${JSON.stringify(learner.learned(run, Date.now()))}\n`, '--learn')
  const names = await networks.names()
  const { countries, fault } = await openCountries()
  if (fault !== undefined) terminal.error(`digue: ${plain(fault)}\n`)
  const report = reportOf(run, {
    files: figures,
    madeAtMs: Date.now(),
    timeZone: times.zone,
    networks: networks.source,
    names: {
      operatorOf: (asn) => names.get(asn) ?? '',
      countryOf: (address) => countries.countryOf(address),
    },
    ...(flags.capacity === undefined ? {} : { capacity: flags.capacity }),
    hasBaseline: learned !== undefined,
  })
  if (flags.html !== undefined) await writeOwn(flags.html, reportHtml(report), '--html')
  terminal.out(flags.json ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report))
  if (flags.html !== undefined && !flags.json) terminal.error(`The page is in ${plain(flags.html)}.\n`)
  if (flags.learn !== undefined && !flags.json)
    terminal.error(
      `Calm weather is in ${plain(flags.learn)}: for \`digue run --baseline-from\` and \`digue replay --baseline\`.\n`,
    )
}

async function readAll(
  files: readonly string[],
  run: Replay,
  { flags, terminal, timeZone }: { flags: ReplayFlags; terminal: Terminal; timeZone: string },
): Promise<FileFigures[]> {
  const readers: LogReader[] = []
  const sorted: SortedLog[] = []
  const wasSorted = new Set<LogReader>()
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.once(signal, onSignal)
  const progress = new Progress(readers, terminal, flags.progress !== false)
  try {
    for (const file of files) readers.push(await openLog(file, timeZone))
    const parts: LogReader[] = []
    for (const reader of readers) {
      if (!(await needsSorting(reader, flags, timeZone))) {
        parts.push(reader)
        continue
      }
      wasSorted.add(reader)
      const log = await sortLog(reader, tmpdir(), {
        timeZone,
        signal: stop.signal,
        onRead: () => {
          progress.tick()
          mustBeLog(reader)
        },
      }).catch((error: Error) => {
        throw stop.signal.aborted || error instanceof CliError
          ? error
          : new CliError(`${reader.path} cannot be sorted in ${tmpdir()}: ${error.message}`, EXIT.failed, {
              cause: error,
            })
      })
      sorted.push(log)
      parts.push(...log.runs)
    }
    await mergeLogs(parts, (line) => run.add(line), {
      signal: stop.signal,
      onRead: (reader) => {
        progress.tick()
        mustBeLog(reader)
      },
    })
    for (const reader of readers) mustBeLog(reader, true)
  } catch (error) {
    if (stop.signal.aborted) throw new CliError('stopped', EXIT.failed, { cause: error })
    throw error
  } finally {
    progress.end()
    for (const signal of signals) process.removeListener(signal, onSignal)
    for (const { runs } of sorted) for (const reader of runs) await reader.close()
    for (const { remove } of sorted) await remove()
    for (const reader of readers) await reader.close()
  }
  return readers.map((reader) => ({
    path: reader.path,
    lines: reader.good,
    badLines: reader.bad,
    tooLong: reader.tooLong,
    examples: reader.badLines,
    formats: reader.formats,
    wasSorted: wasSorted.has(reader),
    ...(reader.fault === undefined ? {} : { fault: reader.fault }),
  }))
}

async function openLog(file: string, timeZone: string): Promise<LogReader> {
  try {
    return await LogReader.open(file, { timeZone })
  } catch (error) {
    if (error instanceof PackedLogError)
      throw new CliError(`${file}: ${error.message}`, EXIT.failed, { cause: error })
    const { code, message } = error as NodeJS.ErrnoException
    const advice: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      EACCES: 'it may not be read; run this as a user of the group that may (on Debian: adm)',
      EISDIR: 'it is a folder: give the files in it, such as access.log*',
    }
    throw new CliError(`${file}: ${advice[code ?? ''] ?? message}`, EXIT.failed, { cause: error })
  }
}

async function needsSorting(reader: LogReader, flags: ReplayFlags, timeZone: string): Promise<boolean> {
  if (flags.sort === true) return true
  // What is packed or comes through a pipe cannot be looked at in places.
  if (reader.sizeBytes === undefined || /\.(?:gz|zst)$/.test(reader.path)) return false
  return !(await looksSorted(reader.path, { timeZone }))
}

/** Throws when what was read so far holds no request at all, with its first line. */
function mustBeLog(reader: LogReader, isAtEnd = false): void {
  if (reader.good > 0 || reader.bad < (isAtEnd ? 1 : ENOUGH_BAD)) return
  const first = reader.badLines[0]
  throw new CliError(
    `${reader.path}: no line of it is in a known format. ${first === undefined ? '' : `Line ${first.number} is: ${plain(first.text)}\n`}${KNOWN_FORMATS}`,
    EXIT.failed,
  )
}

function timesOf(zone: string | undefined): LocalTimes {
  try {
    return new LocalTimes(zone)
  } catch (error) {
    throw new CliError(
      `--time-zone: expected a name such as Europe/Paris or UTC, got "${plain(zone ?? '')}"`,
      EXIT.usage,
      { cause: error },
    )
  }
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?(Z|[+-]\d\d:?\d\d)?$/

/** "2026-01-05", "2026-01-05 17:03" in the time zone, with "Z" or "+01:00" as it says, or "7d" before now. */
function instant(text: string | undefined, option: string, times: LocalTimes): number | undefined {
  if (text === undefined) return undefined
  const ago = parseDuration(text)
  if (ago !== undefined) return Date.now() - ago
  const match = DATE.exec(text)
  if (match !== null) {
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ]
    const clock = Date.UTC(year, month - 1, day, hour, minute, second)
    const zone = match[7]
    if (new Date(clock).getUTCDate() === day && hour < 24 && minute < 60 && second < 60) {
      if (zone === undefined) return new LocalTimes(times.zone).instant(clock)
      const minutes = zone === 'Z' ? 0 : Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
      return clock - (zone.startsWith('-') ? -minutes : minutes) * 60_000
    }
  }
  throw new CliError(
    `${option}: expected 2026-01-05, "2026-01-05 17:03", the same with Z or +01:00, or 7d for seven days ago; got "${plain(text)}"`,
    EXIT.usage,
  )
}

/** Said before an hour of reading, and not after it. */
function mustBeWritable(option: string, file: string, logs: readonly string[]): void {
  const folder = path.dirname(path.resolve(file))
  if (!existsSync(folder)) throw new CliError(`${option}: there is no folder ${folder}`, EXIT.usage)
  if (logs.some((log) => path.resolve(log) === path.resolve(file)))
    throw new CliError(`${option}: ${file} is one of the logs`, EXIT.usage)
}

/** Names addresses: for its owner only. */
async function writeOwn(file: string, text: string, option: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 }).catch((error: Error) => {
    throw new CliError(`${option}: ${file} cannot be written (${error.message})`, EXIT.failed, {
      cause: error,
    })
  })
}

/** A baseline from `--learn`; a CliError says what is wrong with it. */
export async function readLearned(file: string, option = '--baseline'): Promise<Learned> {
  try {
    const { size } = await stat(file)
    if (size > LARGEST_LEARNED) throw new LearnedError('it is larger than any learned baseline')
    await using handle = await open(file)
    return parseLearned(await handle.readFile('utf8'))
  } catch (error) {
    throw new CliError(`${option}: ${file} cannot be used: ${(error as Error).message}`, EXIT.failed, {
      cause: error,
    })
  }
}

/** By name; the only one there is also fits a log that names no host. */
function siteIn(learned: Learned, name: string) {
  const exact = Object.hasOwn(learned.sites, name) ? learned.sites[name] : undefined
  const all = Object.values(learned.sites)
  return exact ?? (all.length === 1 ? all[0] : undefined)
}

const BAR = 24
const REDRAW_MS = 200
const PLAIN_EVERY_MS = 10_000

/** On a terminal one line that is drawn again; otherwise a line every ten seconds. All on stderr. */
class Progress {
  readonly #readers: readonly LogReader[]
  readonly #terminal: Terminal
  readonly #isOn: boolean
  readonly #isTty = process.stderr.isTTY === true
  readonly #startMs = performance.now()
  #drawnMs = this.#startMs
  #hasDrawn = false

  constructor(readers: readonly LogReader[], terminal: Terminal, isOn: boolean) {
    this.#readers = readers
    this.#terminal = terminal
    this.#isOn = isOn
  }

  tick(): void {
    const nowMs = performance.now()
    if (!this.#isOn || nowMs - this.#drawnMs < (this.#isTty ? REDRAW_MS : PLAIN_EVERY_MS)) return
    this.#drawnMs = nowMs
    this.#hasDrawn = true
    const text = progressText(this.#readers, nowMs - this.#startMs)
    this.#terminal.error(this.#isTty ? `\r${text}\u001b[K` : `${text}\n`)
  }

  end(): void {
    if (this.#hasDrawn && this.#isTty) this.#terminal.error('\r\u001b[K')
  }
}

/** "██████░░░░░░  48 %  3.1 million lines, 412,000 a second, 34 s left" */
export function progressText(
  readers: readonly Pick<LogReader, 'readBytes' | 'sizeBytes' | 'good' | 'bad'>[],
  elapsedMs: number,
): string {
  let read = 0
  let size: number | undefined = 0
  let lines = 0
  for (const reader of readers) {
    read += reader.readBytes
    size = size === undefined || reader.sizeBytes === undefined ? undefined : size + reader.sizeBytes
    lines += reader.good + reader.bad
  }
  const perSecond = (1000 * lines) / Math.max(1, elapsedMs)
  const done = `${lines.toLocaleString('en')} lines, ${Math.round(perSecond).toLocaleString('en')} a second`
  if (size === undefined || size === 0) return `${formatBytes(read)}, ${done}`
  const ratio = Math.min(1, read / size)
  const full = Math.round(ratio * BAR)
  const left = ratio > 0.01 ? `, ${formatSpan((elapsedMs * (1 - ratio)) / ratio)} left` : ''
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${String(Math.round(100 * ratio)).padStart(3)} %  ${done}${left}`
}
