/** Part `conformance`: which tests of http-cache-tests pass, with Digue, nginx and Varnish, in one go. */
import { join } from 'node:path'
import { makePlace, removeFolder } from '../lib/place.ts'
import { Child, CORES } from '../lib/processes.ts'
import { percent, table } from '../lib/table.ts'
import { NGINX_VARIANTS, nginxCache } from '../peers/nginx-cache.ts'
import type { Peer, RunningPeer, Variant } from '../peers/peer.ts'
import { VARNISH_VARIANTS, varnish } from '../peers/varnish.ts'
import type { Part } from './part.ts'
import { digueCache } from './peers.ts'
import { count, type Judged, judge, type Kind, type SuiteResults, suiteTests, suiteVersion } from './suite.ts'

/** Each as the suite's maintainers set it up for their published results; Digue with its defaults. */
const CONTENDERS: readonly { readonly peer: Peer; readonly variant: Variant }[] = [
  { peer: nginxCache, variant: NGINX_VARIANTS.suite },
  { peer: varnish, variant: VARNISH_VARIANTS.suite },
  { peer: digueCache, variant: digueCache.variants[0]! },
]

const KINDS: readonly Kind[] = ['required', 'optimal', 'check']
const GOALS: Readonly<Partial<Record<Kind, number>>> = { required: 1, optimal: 100 / 105 }

export const conformance: Part = {
  name: 'conformance',
  question: 'Which tests of npm’s http-cache-tests pass?',
  needs: { ...nginxCache.needs, ...varnish.needs },
  async run({ isWanted, say, chosen }) {
    const tests = await suiteTests()
    const raw: Record<string, readonly Judged[]> = {}
    for (const { peer, variant } of CONTENDERS) {
      if (!isWanted(peer)) continue
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  conformance · ${peer.name}`)
      raw[peer.name] = judge(tests, await resultsOf(peer, variant))
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
    say(report(raw))
    if (chosen.flag('failed') && raw['digue']) say(failures(raw['digue']))
    return { suite: suiteVersion(), verdicts: raw }
  },
}

async function resultsOf(peer: Peer, variant: Variant): Promise<SuiteResults> {
  const children: Child[] = []
  const start = (name: string) => {
    const child = new Child(
      name,
      [process.execPath, '--no-warnings', join(import.meta.dirname, `${name}.ts`)],
      { core: CORES?.load, ipc: true },
    )
    children.push(child)
    return child
  }
  let running: RunningPeer | undefined
  let folder: string | undefined
  try {
    const originPort = await start('suite-origin').message<number>('port')
    const place = await makePlace({ originPort })
    folder = place.folder
    running = await peer.start(place, variant)
    const client = start('suite-client')
    await client.message('ready')
    const results = client.message<SuiteResults>('results')
    client.send({ port: running.port })
    return await results
  } finally {
    await Promise.all(children.map((child) => child.stop()))
    await running?.stop()
    if (folder) removeFolder(folder)
  }
}

function report(raw: Readonly<Record<string, readonly Judged[]>>): string {
  const rows = Object.entries(raw).map(([name, judged]) => [
    name,
    ...KINDS.map((kind) => {
      const { passed, of } = count(judged, kind)
      return kind === 'check' ? `${passed} yes of ${of}` : `${passed} of ${of}`
    }),
    String(judged.filter(({ verdict }) => verdict === 'dependency').length),
    String(judged.filter(({ verdict }) => verdict === 'setup' || verdict === 'retry').length),
  ])
  const digue = raw['digue']
  const goals = digue
    ? Object.entries(GOALS).map(([kind, goal]) => {
        const { passed, of } = count(digue, kind as Kind)
        return `goal, ${kind} ≥ ${percent(goal, 0)}: ${passed >= goal * of ? 'met' : 'missed'} (${percent(passed / of)})`
      })
    : []
  return [
    table(['', ...KINDS, 'dependency failed', 'not set up'], rows),
    ...(goals.length > 0 ? ['', ...goals] : []),
  ].join('\n')
}

function failures(judged: readonly Judged[]): string {
  const rows = judged
    .filter(({ kind, verdict }) => kind !== 'check' && verdict !== 'pass')
    .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))
    .map(({ kind, verdict, id, reason }) => [kind, verdict, id, reason])
  return rows.length === 0 ? '\nNothing failed.' : `\n${table(['digue', '', '', ''], rows, 4)}`
}
