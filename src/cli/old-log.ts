/**
 * `--baseline-from`: who uses the site in calm weather, from an old access log, so that a Digue first
 * started in the middle of a flood need not learn it from the flood.
 *
 * The log goes through `Replay`, so what it holds of incidents teaches nothing. It says nothing of the origin's time:
 * each answered request counts the same. What `digue replay --learn` wrote is taken as well.
 */
import { open } from 'node:fs/promises'
import type { Baseline, CalmUse } from '#admission'
import type { Config } from '#config'
import type { Brain, TraitBaseline } from '#control'
import { AddressBook, type NetworkTable, openNetworks } from '#networks'
import { LogReader, mergeLogs } from '#record'
import { beginsLearned, LEARNED_TRAITS, NO_HOST, type OnCalm, Replay } from '#replay'
import { CliError, EXIT } from './output.ts'
import { readLearned } from './replay.ts'

export interface OldLog {
  /** Name of the site it belongs to; '' when its lines say so, or when there is but one. */
  readonly site: string
  readonly path: string
}

export interface OldLogResult {
  readonly site: string
  readonly requests: number
  readonly isReady: boolean
}

/** Between 5 ms for a small page and 20 ms for a dear one; only ratios matter until live time is learned. */
const ASSUMED_ORIGIN_MS = 10
/** Uses are handed over in lists, not one by one. */
const BATCH = 1024

interface Teacher {
  readonly brain: Brain
  readonly config: Config
  onProgress(path: string, ratio: number): void
  onNote(message: string): void
}

/** What one site learns from all its logs. */
interface Lessons {
  readonly baseline: Baseline
  readonly traits: TraitBaseline | undefined
  requests: number
  batch: CalmUse[]
  batchAtMs: number
}

/** "access.log" or "shop.example.org=access.log". */
export function parseOldLog(text: string): OldLog {
  const match = /^([a-z0-9*_.-]+)=(.+)$/i.exec(text)
  return match === null ? { site: '', path: text } : { site: match[1]!.toLowerCase(), path: match[2]! }
}

export async function learnFromLogs(logs: readonly OldLog[], to: Teacher): Promise<OldLogResult[]> {
  const { brain, config } = to
  const siteOf = siteFinder(config)
  const lessons = new Map<string, Lessons>()
  const { table } = await openNetworks(config.networks)
  const lessonsOf = (site: string): Lessons => {
    let found = lessons.get(site)
    if (found === undefined) {
      const traits = brain.newTraitBaseline(site)
      found = { baseline: brain.newBaseline(), traits, requests: 0, batch: [], batchAtMs: 0 }
      lessons.set(site, found)
    }
    return found
  }
  for (const log of logs) {
    if (log.site !== '' && siteOf(log.site) === undefined)
      throw new CliError(
        `--baseline-from: there is no site ${log.site}; expected one of ${config.sites
          .map(({ hosts }) => hosts[0])
          .slice(0, 20)
          .join(', ')}`,
        EXIT.usage,
      )
    /** Site of a host, or of a line that names none. */
    const placed = (host: string) =>
      log.site !== '' ? siteOf(log.site) : host !== '' ? siteOf(host) : onlySite(config)
    const unplaced = (await isLearned(log.path))
      ? await takeLearned(log.path, placed, lessonsOf, table)
      : await takeLog(log.path, placed, lessonsOf, table, to)
    if (unplaced > 0)
      to.onNote(
        `${log.path}: ${unplaced} requests belong to no site here; with several sites write --baseline-from shop.example.org=${log.path}`,
      )
  }
  const results: OldLogResult[] = []
  for (const [site, { baseline, traits, requests, batch, batchAtMs }] of lessons) {
    baseline.learn(batch, batchAtMs)
    if (traits !== undefined) brain.adoptTraits(site, traits)
    results.push({ site, requests, isReady: brain.adoptBaseline(site, baseline, Date.now()) })
  }
  return results
}

function cannotBeRead(path: string): (error: Error) => never {
  return (error) => {
    throw new CliError(`--baseline-from: ${path} cannot be read (${error.message})`, EXIT.failed, {
      cause: error,
    })
  }
}

async function isLearned(path: string): Promise<boolean> {
  const file = await open(path).catch(cannotBeRead(path))
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(64), 0, 64, 0)
    return beginsLearned(buffer.toString('latin1', 0, bytesRead))
  } catch {
    // A pipe cannot be looked into; whatever else is wrong shows when it is read.
    return false
  } finally {
    await file.close()
  }
}

/** The requests that belong to no site. */
async function takeLog(
  path: string,
  placed: (host: string) => string | undefined,
  lessonsOf: (site: string) => Lessons,
  networks: NetworkTable,
  to: Teacher,
): Promise<number> {
  const take: OnCalm = (site, client, atMs, traits) => {
    const { asn, prefix, subscriber } = client
    const lesson = lessonsOf(site)
    lesson.requests++
    lesson.batch.push({ asn, prefix, subscriber, originMs: ASSUMED_ORIGIN_MS })
    lesson.batchAtMs = atMs
    if (lesson.batch.length >= BATCH) lesson.baseline.learn(lesson.batch.splice(0), atMs)
    if (traits !== undefined) lesson.traits?.add({ asn, prefix, subscriber, traits }, atMs, LEARNED_TRAITS)
  }
  const replay = new Replay({ networks, siteOf: placed, onCalm: take })
  const reader = await LogReader.open(path).catch(cannotBeRead(path))
  try {
    await mergeLogs([reader], (line) => replay.add(line), {
      onRead: ({ readBytes, sizeBytes }) =>
        to.onProgress(path, sizeBytes === undefined ? 0 : Math.min(1, readBytes / sizeBytes)),
    })
    replay.end()
  } finally {
    await reader.close()
  }
  if (reader.fault !== undefined)
    to.onNote(`${path}: reading ended early (${reader.fault}); what came before is used`)
  const bad = reader.bad + replay.counters.noAddress
  if (bad > 0) to.onNote(`${path}: ${bad} lines are in no known format and were left out`)
  for (const { incidents } of replay.sites.values())
    if (incidents.length > 0)
      to.onNote(
        `${path}: ${incidents.length === 1 ? 'an incident was' : `${incidents.length} incidents were`} left out; \`digue replay ${path}\` tells of ${incidents.length === 1 ? 'it' : 'them'}`,
      )
  return replay.counters.outside
}

/** The requests that belong to no site. */
async function takeLearned(
  path: string,
  placed: (host: string) => string | undefined,
  lessonsOf: (site: string) => Lessons,
  networks: NetworkTable,
): Promise<number> {
  const learned = await readLearned(path, '--baseline-from')
  const book = new AddressBook(networks)
  let unplaced = 0
  for (const [host, { clients, vectors, toMs }] of Object.entries(learned.sites)) {
    const site = placed(host === NO_HOST ? '' : host)
    if (site === undefined) {
      unplaced += clients.reduce((sum, [, requests]) => sum + requests, 0)
      continue
    }
    const lesson = lessonsOf(site)
    let requests = 0
    const uses = clients.map(([address, count]) => {
      const { asn, prefix, subscriber } = book.identify(address)
      requests += count
      return { asn, prefix, subscriber, originMs: ASSUMED_ORIGIN_MS * count }
    })
    lesson.baseline.learn(uses, toMs, requests)
    lesson.requests += requests
    for (const [address, atMs, traits] of [...vectors].sort((a, b) => a[1] - b[1])) {
      const { asn, prefix, subscriber } = book.identify(address)
      lesson.traits?.add({ asn, prefix, subscriber, traits }, atMs, LEARNED_TRAITS)
    }
  }
  return unplaced
}

function onlySite(config: Config): string | undefined {
  return config.sites.length === 1 ? config.sites[0]!.hosts[0] : undefined
}

/** Name (first host) of the site that a host belongs to. */
export function siteFinder(config: Config): (host: string) => string | undefined {
  const names = new Map<string, string>()
  for (const site of config.sites) for (const host of site.hosts) names.set(host, site.hosts[0]!)
  return (host) => {
    const exact = names.get(host)
    if (exact !== undefined) return exact
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const below = names.get(`*${host.slice(dot)}`)
      if (below !== undefined) return below
    }
    return names.get('*')
  }
}
