/**
 * `--baseline-from`: who uses the site in calm weather, from an old access log, so that a Digue first
 * started in the middle of a flood need not learn it from the flood.
 *
 * A log says nothing of the origin's time: each answered request counts the same. Requests that the
 * old server answered with an error are left out, so that an attack in the log weighs less.
 */
import type { Baseline, CalmUse } from '#admission'
import type { Config } from '#config'
import type { Brain } from '#control'
import { AddressBook, openNetworks } from '#networks'
import { readAccessLog } from '#record'
import { CliError, EXIT } from './output.ts'

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

/** "access.log" or "shop.example.org=access.log". */
export function parseOldLog(text: string): OldLog {
  const match = /^([a-z0-9*_.-]+)=(.+)$/i.exec(text)
  return match === null ? { site: '', path: text } : { site: match[1]!.toLowerCase(), path: match[2]! }
}

export async function learnFromLogs(
  logs: readonly OldLog[],
  to: {
    brain: Brain
    config: Config
    onProgress(path: string, ratio: number): void
    onNote(message: string): void
  },
): Promise<OldLogResult[]> {
  const { brain, config } = to
  const siteOf = siteFinder(config)
  const baselines = new Map<
    string,
    {
      baseline: Baseline
      requests: number
      batch: CalmUse[]
      batchAtMs: number
    }
  >()
  const { table } = await openNetworks(config.networks)
  const book = new AddressBook(table)
  for (const log of logs) {
    if (log.site !== '' && siteOf(log.site) === undefined)
      throw new CliError(`--baseline-from: there is no site ${log.site}`, EXIT.usage)
    let unplaced = 0
    const summary = await readAccessLog(
      log.path,
      (request) => {
        if (request.status === 0 || request.status >= 400) return
        const name =
          log.site !== '' ? siteOf(log.site) : request.site !== '' ? siteOf(request.site) : onlySite(config)
        const client = book.identify(request.client)
        if (name === undefined) {
          unplaced++
          return
        }
        let entry = baselines.get(name)
        if (entry === undefined)
          baselines.set(
            name,
            (entry = { baseline: brain.newBaseline(), requests: 0, batch: [], batchAtMs: request.atMs }),
          )
        entry.requests++
        entry.batch.push({
          asn: client.asn,
          prefix: client.prefix,
          subscriber: client.subscriber,
          originMs: ASSUMED_ORIGIN_MS,
        })
        entry.batchAtMs = request.atMs
        if (entry.batch.length >= BATCH) entry.baseline.learn(entry.batch.splice(0), entry.batchAtMs)
      },
      { onProgress: (read, size) => to.onProgress(log.path, size === 0 ? 1 : Math.min(1, read / size)) },
    ).catch((error: Error) => {
      throw new CliError(`--baseline-from: ${log.path} cannot be read (${error.message})`, EXIT.failed, {
        cause: error,
      })
    })
    if (summary.fault !== undefined)
      to.onNote(`${log.path}: reading ended early (${summary.fault}); what came before is used`)
    if (summary.badLines > 0)
      to.onNote(`${log.path}: ${summary.badLines} lines are in no combined format and were left out`)
    if (unplaced > 0)
      to.onNote(
        `${log.path}: ${unplaced} requests belong to no site here; with several sites write --baseline-from shop.example.org=${log.path}`,
      )
  }
  const results: OldLogResult[] = []
  for (const [site, { baseline, requests, batch, batchAtMs }] of baselines) {
    baseline.learn(batch, batchAtMs)
    results.push({ site, requests, isReady: brain.adoptBaseline(site, baseline, Date.now()) })
  }
  return results
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
