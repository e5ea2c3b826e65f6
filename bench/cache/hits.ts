/**
 * Part `hits`: how many stored responses does one core serve, against nginx? CPU per hit from /proc, in
 * alternating rounds, so that a ratio is taken within one.
 */
import { get as getPlain } from 'node:http'
import { get as getTls } from 'node:https'
import { type Contender, cpuPer, inTurns, ratio } from '../lib/paired.ts'
import { makePlace, removeFolder } from '../lib/place.ts'
import { BenchError } from '../lib/processes.ts'
import { median } from '../lib/stats.ts'
import { percent, table, thousands } from '../lib/table.ts'
import { h2load, type ToolResult, wrk } from '../lib/tools.ts'
import { NGINX_VARIANTS, nginxCache } from '../peers/nginx-cache.ts'
import { VARNISH_VARIANTS, varnish } from '../peers/varnish.ts'
import { type OriginProcess, startOriginProcess, USUAL_PAGES } from './origin-process.ts'
import type { Part } from './part.ts'
import { digueCache } from './peers.ts'
import { type Contestant, nameOf } from './with-server.ts'

const CONTESTANTS: readonly Contestant[] = [
  { peer: nginxCache, variant: NGINX_VARIANTS.sendfile },
  { peer: nginxCache, variant: NGINX_VARIANTS.buffers },
  { peer: varnish, variant: VARNISH_VARIANTS.grace },
  { peer: digueCache, variant: digueCache.variants[0]! },
]

const SIZES = [2_000, 100_000] as const
const CONNECTIONS = 16
const GOAL = 0.8

type Way = 'http' | 'https' | 'h2'

const WAYS: Readonly<Record<Way, (one: Contender, path: string, seconds: number) => Promise<ToolResult>>> = {
  http: ({ peer }, path, seconds) => wrk(`http://127.0.0.1:${peer.port}${path}`, seconds, CONNECTIONS),
  https: ({ peer }, path, seconds) => wrk(`https://127.0.0.1:${peer.tlsPort}${path}`, seconds, CONNECTIONS),
  h2: ({ peer }, path, seconds) => h2load(`https://127.0.0.1:${peer.tlsPort}${path}`, seconds, 4, 4),
}

interface Sample {
  readonly cpuUs: number
  readonly perSecond: number
  /** Share of requests that the origin did not see. */
  readonly hitShare: number
}

export const hits: Part = {
  name: 'hits',
  question: 'How many hits does one core serve, against nginx proxy_cache?',
  needs: { ...nginxCache.needs, ...varnish.needs, wrk: 'wrk', h2load: 'nghttp2-client' },
  async run({ isWanted, isQuick, say, chosen }) {
    const rounds = Math.min(50, chosen.number('runs', isQuick ? 3 : 9))
    const seconds = Math.min(60, chosen.number('seconds', isQuick ? 2 : 4))
    const origin = await startOriginProcess(USUAL_PAGES)
    const raw: Record<string, Record<string, Sample[]>> = {}
    const up: Contender[] = []
    const folders: string[] = []
    try {
      for (const contestant of CONTESTANTS) {
        const { peer, variant } = contestant
        if (!isWanted(peer)) continue
        const place = await makePlace({ originPort: origin.port })
        folders.push(place.folder)
        up.push({ name: nameOf(contestant), peer: await peer.start(place, variant) })
      }
      for (const way of Object.keys(WAYS) as Way[]) {
        for (const size of SIZES) {
          const path = `/size/${size}`
          const these = up.filter(({ peer }) => way === 'http' || peer.tlsPort > 0)
          for (const one of these) {
            await isWhole(one, way, path, size)
            await WAYS[way](one, path, 1)
          }
          const results = await inTurns(these, rounds, (one) => measure(one, origin, way, path, seconds))
          raw[`${way} ${size}`] = Object.fromEntries(results)
          say(report(these, results, { way, size, rounds, seconds }))
        }
      }
    } finally {
      for (const { peer } of up) await peer.stop()
      await origin.child.stop()
      for (const folder of folders) removeFolder(folder)
    }
    return { rounds, seconds, ways: raw }
  },
}

async function measure(
  one: Contender,
  origin: OriginProcess,
  way: Way,
  path: string,
  seconds: number,
): Promise<Sample> {
  const before = await origin.total()
  let perSecond = 0
  let requests = 0
  const cpuUs = await cpuPer(one, async () => {
    const result = await WAYS[way](one, path, seconds)
    if (!(result.requests > 0) || result.bad > result.requests / 1000) {
      throw new BenchError(
        'BENCH_BAD_ANSWERS',
        `${one.name}, ${way}: ${result.bad} bad of ${result.requests} answers; a rate of errors is no rate`,
      )
    }
    perSecond = result.perSecond
    requests = result.requests
    return requests
  })
  return { cpuUs, perSecond, hitShare: Math.max(0, 1 - ((await origin.total()) - before) / requests) }
}

/** Throws unless the server answers with the whole body: a short one would be served fast. */
async function isWhole(one: Contender, way: Way, path: string, size: number): Promise<void> {
  const isTls = way !== 'http'
  const [get, port] = isTls ? [getTls, one.peer.tlsPort] : [getPlain, one.peer.port]
  const bytes = await new Promise<number>((resolve, reject) => {
    const where = { host: '127.0.0.1', port, path, timeout: 5000, rejectUnauthorized: false }
    const asked = get(where, (response) => {
      let got = 0
      response.on('data', (data: Buffer) => {
        got += data.length
      })
      response.on('end', () => resolve(response.statusCode === 200 ? got : 0))
      response.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')))
    asked.on('error', reject)
  })
  if (bytes !== size)
    throw new BenchError(
      'BENCH_BAD_ANSWERS',
      `${one.name}, ${way}: ${bytes} bytes of ${path}, expected ${size}`,
    )
}

function report(
  up: readonly Contender[],
  results: Map<string, Sample[]>,
  at: { readonly way: Way; readonly size: number; readonly rounds: number; readonly seconds: number },
): string {
  const cpu = (name: string) => results.get(name)!.map((sample) => sample.cpuUs)
  const nginx = cheapest(
    up.filter(({ name }) => name.startsWith('nginx')).map(({ name }) => name),
    cpu,
  )
  const rows = up.map(({ name }) => [
    name,
    `${median(cpu(name)).toFixed(1)} µs`,
    thousands(median(results.get(name)!.map((s) => s.perSecond))),
    nginx ? ratio(cpu(nginx), cpu(name)).text : '–',
    percent(Math.min(...results.get(name)!.map((s) => s.hitShare)), 2),
  ])
  const connections = at.way === 'h2' ? '4 connections × 4 streams' : `${CONNECTIONS} kept connections`
  const own = up.find(({ name }) => name.startsWith('digue'))?.name
  return [
    `${at.way}, ${thousands(at.size)} bytes: ${connections}, ${at.rounds} rounds of ${at.seconds} s`,
    table(['', 'CPU per hit', 'hits/s seen', 'per core, cheaper nginx = 1', 'hits'], rows),
    ...(nginx && own ? [verdict(at.way, results.get(own)!, ratio(cpu(nginx), cpu(own)).median)] : []),
    '',
  ].join('\n')
}

/** nginx is shown at its best: the setting with the least CPU in this cell. */
function cheapest(names: readonly string[], cpu: (name: string) => number[]): string | undefined {
  return names.toSorted((a, b) => median(cpu(a)) - median(cpu(b)))[0]
}

function verdict(way: Way, samples: readonly Sample[], perCore: number): string {
  if (samples.some((sample) => sample.hitShare < 0.99)) return 'no verdict: these are not hits'
  return way === 'h2' ? 'h2 has no goal' : `goal ≥ ${GOAL}: ${perCore >= GOAL ? 'met' : 'missed'}`
}
