/**
 * Part `kill`: the origin is killed outright under 500 readers per second of 200 public pages, stays down and
 * comes back. Who sees an error for a page that was stored, and does the origin meet a thundering herd?
 */
import { HOST } from '../lib/certificate.ts'
import { percent, table, thousands } from '../lib/table.ts'
import { visitorAddresses } from '../load/networks.ts'
import { NGINX_VARIANTS, nginxCache } from '../peers/nginx-cache.ts'
import { VARNISH_VARIANTS, varnish } from '../peers/varnish.ts'
import { Generator } from './generator.ts'
import { startOriginProcess, USUAL_PAGES } from './origin-process.ts'
import type { PageOriginPlan, Seen } from './page-origin.ts'
import type { Part } from './part.ts'
import { digueCache } from './peers.ts'
import { pagePath, type ReadersResult, type Reading } from './readers.ts'
import { type Contestant, nameOf, sleepUntil, withServer } from './with-server.ts'

const PAGES = 200
const PER_SECOND = 500
const SOURCES = visitorAddresses(250, 12)
/** Stale soon, so that what is served while the origin is down is stale. */
const ORIGIN: PageOriginPlan = { ...USUAL_PAGES, maxAgeS: 2 }

const CONTESTANTS: readonly Contestant[] = [
  { peer: nginxCache, variant: NGINX_VARIANTS.stale },
  { peer: varnish, variant: VARNISH_VARIANTS.grace },
  { peer: digueCache, variant: digueCache.variants[0]! },
]

interface Timing {
  readonly warmS: number
  readonly downS: number
  readonly afterS: number
}

const FULL: Timing = { warmS: 15, downS: 20, afterS: 10 }
const QUICK: Timing = { warmS: 8, downS: 8, afterS: 5 }

interface Outcome {
  /** Pages that readers had got before the origin was killed. */
  readonly storedPages: number
  /** Of stored pages, from the kill to the end: asked for, and not shown by how it ended. */
  readonly asked: number
  readonly errors: Readonly<Record<string, number>>
  readonly errorCount: number
  /** From when the origin listened again until its first request; null when there was none. */
  readonly noticedMs: number | null
  /** Of the second that begins with that request. */
  readonly firstSecond: { readonly requests: number; readonly pages: number; readonly most: number }
}

export const kill: Part = {
  name: 'kill',
  question: 'An origin killed under 500 readers/s: who sees an error, and what does it meet when it is back?',
  needs: { ...nginxCache.needs, ...varnish.needs },
  async run({ isWanted, isQuick, say }) {
    const timing = isQuick ? QUICK : FULL
    const outcomes: Record<string, Outcome> = {}
    for (const contestant of CONTESTANTS) {
      if (!isWanted(contestant.peer)) continue
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  kill · ${nameOf(contestant)}`)
      outcomes[nameOf(contestant)] = await measure(contestant, timing)
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
    say(report(outcomes, timing))
    return { timing, perSecond: PER_SECOND, pages: PAGES, outcomes }
  },
}

async function measure(contestant: Contestant, timing: Timing): Promise<Outcome> {
  const origins = [await startOriginProcess(ORIGIN)]
  try {
    const { port } = origins[0]!
    return await withServer(contestant, port, async (server) => {
      await using readers = await Generator.start('readers')
      const startAtMs = Date.now() + 300
      const killAtMs = startAtMs + 1000 * timing.warmS
      const backAtMs = killAtMs + 1000 * timing.downS
      const result = readers.run<ReadersResult>({
        role: 'readers',
        port: server.port,
        host: HOST,
        sources: SOURCES,
        startAtMs,
        seconds: timing.warmS + timing.downS + timing.afterS,
        perSecond: PER_SECOND,
        pages: PAGES,
        patienceMs: 10_000,
        seed: 5,
      })
      await sleepUntil(killAtMs)
      const { child } = origins[0]!
      const killedAtMs = Date.now()
      child.process.kill('SIGKILL')
      await sleepUntil(backAtMs)
      const again = await startOriginProcess({ ...ORIGIN, port })
      origins.push(again)
      const listensAtMs = Date.now()
      const { readings } = await result
      const { firstAtMs } = await again.seen(0, Number.POSITIVE_INFINITY)
      const first = await again.seen(firstAtMs, firstAtMs + 1000)
      return outcome(readings, { killedAtMs, listensAtMs }, first)
    })
  } finally {
    for (const { child } of origins) await child.stop()
  }
}

function outcome(
  readings: readonly Reading[],
  at: { readonly killedAtMs: number; readonly listensAtMs: number },
  first: Seen,
): Outcome {
  const stored = new Set(
    readings
      .filter(({ fate, overAtMs }) => fate === 'served' && overAtMs < at.killedAtMs)
      .map(({ page }) => page),
  )
  // Also whoever was waiting when it happened.
  const counted = readings.filter(({ page, overAtMs }) => overAtMs >= at.killedAtMs && stored.has(page))
  const errors: Record<string, number> = {}
  for (const { fate } of counted) if (fate !== 'served') errors[fate] = (errors[fate] ?? 0) + 1
  const ofPages = Array.from({ length: PAGES }, (_, page) => first.byPath[pagePath(page)] ?? 0)
  return {
    storedPages: stored.size,
    asked: counted.length,
    errors,
    errorCount: Object.values(errors).reduce((sum, n) => sum + n, 0),
    noticedMs: first.requests > 0 ? Math.max(0, first.firstAtMs - at.listensAtMs) : null,
    firstSecond: {
      requests: ofPages.reduce((sum, n) => sum + n, 0),
      pages: ofPages.filter((n) => n > 0).length,
      most: Math.max(...ofPages),
    },
  }
}

function report(outcomes: Readonly<Record<string, Outcome>>, timing: Timing): string {
  const rows = Object.entries(outcomes).map(([name, one]) => [
    name,
    `${one.storedPages} of ${PAGES}`,
    `${thousands(one.errorCount)} of ${thousands(one.asked)}`,
    percent(one.errorCount / one.asked, 2),
    Object.entries(one.errors)
      .map(([fate, n]) => `${fate}: ${thousands(n)}`)
      .join(', ') || '–',
    one.noticedMs === null ? 'never' : `${Math.round(one.noticedMs)} ms`,
    `${one.firstSecond.requests} for ${one.firstSecond.pages}`,
    String(one.firstSecond.most),
  ])
  const head = [
    '',
    'stored',
    'errors',
    '',
    'which',
    'asked after',
    'requests for pages, 1st second',
    'most for one',
  ]
  const own = Object.entries(outcomes).find(([name]) => name.startsWith('digue'))?.[1]
  return [
    `${PER_SECOND} readers/s of ${PAGES} pages (Zipf, max-age=${ORIGIN.maxAgeS}); killed after ${timing.warmS} s, down ${timing.downS} s.`,
    table(head, rows),
    ...(own
      ? [
          '',
          `goal, no error for a stored page: ${own.errorCount === 0 && own.asked > 0 ? 'met' : 'missed'}`,
          `goal, at most one request per page in the first second: ${own.firstSecond.most === 1 ? 'met' : 'missed'}`,
        ]
      : []),
  ].join('\n')
}
