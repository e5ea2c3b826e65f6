/**
 * Part `collapse`: a thousand browsers ask at the same moment for one page that takes 500 ms and is not
 * stored. How often is the origin asked? And when its answer turns out to be for one visitor only, how long
 * until all have theirs?
 */
import { HOST } from '../lib/certificate.ts'
import { quantile } from '../lib/stats.ts'
import { ms, table, thousands } from '../lib/table.ts'
import { visitorAddresses } from '../load/networks.ts'
import { NGINX_VARIANTS, nginxCache } from '../peers/nginx-cache.ts'
import { VARNISH_VARIANTS, varnish } from '../peers/varnish.ts'
import type { BurstResult } from './burst.ts'
import { Generator } from './generator.ts'
import { startOriginProcess, USUAL_PAGES } from './origin-process.ts'
import type { Part } from './part.ts'
import { digueCache } from './peers.ts'
import { type Contestant, nameOf, withServer } from './with-server.ts'

const DEADLINE_MS = 30_000

const CONTESTANTS: readonly Contestant[] = [
  { peer: nginxCache, variant: NGINX_VARIANTS.stale },
  { peer: varnish, variant: VARNISH_VARIANTS.grace },
  ...digueCache.variants.map((variant) => ({ peer: digueCache, variant })),
]

const PATHS = ['/slow/public', '/slow/private'] as const

interface Outcome {
  readonly originRequests: number
  readonly served: number
  readonly fates: BurstResult['fates']
  /** Of those served, from asking to the page. */
  readonly p50Ms: number
  readonly lastMs: number
}

export const collapse: Part = {
  name: 'collapse',
  question: 'A thousand simultaneous misses for one page: how many reach the origin?',
  needs: { ...nginxCache.needs, ...varnish.needs },
  async run({ isWanted, isQuick, say }) {
    const people = isQuick ? 200 : 1000
    const outcomes: Record<string, Record<string, Outcome>> = {}
    for (const path of PATHS) {
      outcomes[path] = {}
      for (const contestant of CONTESTANTS) {
        if (!isWanted(contestant.peer)) continue
        if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  ${path} · ${nameOf(contestant)}`)
        outcomes[path][nameOf(contestant)] = await measure(contestant, path, people)
      }
      if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
      say(report(path, outcomes[path], people))
    }
    return { people, deadlineMs: DEADLINE_MS, outcomes }
  },
}

async function measure(contestant: Contestant, path: string, people: number): Promise<Outcome> {
  const origin = await startOriginProcess(USUAL_PAGES)
  try {
    return await withServer(contestant, origin.port, async (server) => {
      await using crowd = await Generator.start('burst')
      const { latenciesMs, fates } = await crowd.run<BurstResult>({
        role: 'burst',
        target: {
          address: '127.0.0.1',
          port: server.port,
          tlsPort: server.tlsPort,
          host: HOST,
          forwardedFor: false,
        },
        path,
        sources: visitorAddresses(people, 21),
        startAtMs: Date.now() + 500,
        deadlineMs: DEADLINE_MS,
      })
      return {
        originRequests: (await origin.seen(0, Number.POSITIVE_INFINITY)).byPath[path] ?? 0,
        served: latenciesMs.length,
        fates,
        p50Ms: quantile(latenciesMs, 0.5),
        lastMs: quantile(latenciesMs, 1),
      }
    })
  } finally {
    await origin.child.stop()
  }
}

function report(path: string, outcomes: Readonly<Record<string, Outcome>>, people: number): string {
  const rows = Object.entries(outcomes).map(([name, one]) => [
    name,
    thousands(one.originRequests),
    `${thousands(one.served)} of ${thousands(people)}`,
    ms(one.p50Ms),
    ms(one.lastMs),
    Object.entries(one.fates)
      .filter(([fate]) => fate !== 'served')
      .map(([fate, n]) => `${fate}: ${thousands(n)}`)
      .join(', ') || '–',
  ])
  const own = Object.entries(outcomes).filter(([name]) => name.startsWith('digue'))
  const goal = own.map(
    ([name, one]) => `goal, one origin request, ${name}: ${one.originRequests === 1 ? 'met' : 'missed'}`,
  )
  return [
    path === '/slow/public' ? 'a page that may be stored:' : 'a page that turns out to be private:',
    table(['', 'origin requests', 'served', 'p50', 'last', 'others'], rows),
    ...(path === '/slow/public' ? goal : []),
    '',
  ].join('\n')
}
