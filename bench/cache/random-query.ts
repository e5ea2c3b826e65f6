/**
 * Part `random-query`: 2,000 addresses ask for the home page twice per second each, with made-up parameters,
 * beside a hundred visitors. How much of it does the origin see, and who is served?
 */
import { NEW, PEOPLE, RETURNING, SEED, usual } from '../flood/people.ts'
import { HOST } from '../lib/certificate.ts'
import { ms, percent, table, thousands } from '../lib/table.ts'
import { type Tally, tally } from '../load/accounting.ts'
import { attackerAddresses } from '../load/networks.ts'
import type { AttackResult, Cohort, Target } from '../load/plan.ts'
import type { VisitorResult } from '../load/visitors.ts'
import { NGINX_VARIANTS, nginxCache } from '../peers/nginx-cache.ts'
import { VARNISH_VARIANTS, varnish } from '../peers/varnish.ts'
import { Generator } from './generator.ts'
import { homeFloodPlan } from './home-flood.ts'
import { startOriginProcess, USUAL_PAGES } from './origin-process.ts'
import type { Part } from './part.ts'
import { digueCache } from './peers.ts'
import { type Contestant, nameOf, sleep, withServer } from './with-server.ts'

const SOURCES = attackerAddresses('hosting', 2000, SEED, PEOPLE)
const PER_SOURCE = 2
const GOAL = 0.01
const DEADLINE_MS = 10_000

/** Of the two others nothing is learned: their stores need only be warm. */
const CONTESTANTS: readonly (Contestant & { readonly learns: boolean })[] = [
  { peer: nginxCache, variant: NGINX_VARIANTS.stale, learns: false },
  { peer: varnish, variant: VARNISH_VARIANTS.grace, learns: false },
  { peer: digueCache, variant: digueCache.variants[0]!, learns: true },
]

interface Timing {
  /** For who learns which parameters matter, and for who does not. */
  readonly calmS: number
  readonly shortCalmS: number
  readonly floodS: number
}

const FULL: Timing = { calmS: 60, shortCalmS: 10, floodS: 30 }
const QUICK: Timing = { calmS: 45, shortCalmS: 5, floodS: 10 }

interface Outcome {
  readonly sent: number
  readonly wanted: number
  readonly answers: AttackResult['answers']
  /** Requests for the home page that the origin got in the flood, with parameters, and all. */
  readonly originWithQuery: number
  readonly originHome: number
  readonly originShare: number
  readonly originForgot: number
  readonly visitors: Tally
  readonly calm: Tally
}

export const randomQuery: Part = {
  name: 'random-query',
  question: 'A flood of made-up parameters on the home page: how much reaches the origin, who is served?',
  needs: { ...nginxCache.needs, ...varnish.needs },
  async run({ isWanted, isQuick, say }) {
    const timing = isQuick ? QUICK : FULL
    const outcomes: Record<string, Outcome> = {}
    for (const contestant of CONTESTANTS) {
      if (!isWanted(contestant.peer)) continue
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  random-query · ${nameOf(contestant)}`)
      const calmS = contestant.learns ? timing.calmS : timing.shortCalmS
      outcomes[nameOf(contestant)] = await measure(contestant, calmS, timing.floodS)
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
    say(report(outcomes, timing))
    return { timing, outcomes }
  },
}

async function measure(contestant: Contestant, calmS: number, floodS: number): Promise<Outcome> {
  const origin = await startOriginProcess(USUAL_PAGES)
  try {
    return await withServer(contestant, origin.port, async (server) => {
      await using people = await Generator.start('visitors')
      await using attackers = await Generator.start('attackers')
      const target: Target = {
        address: '127.0.0.1',
        port: server.port,
        tlsPort: server.tlsPort,
        host: HOST,
        forwardedFor: false,
      }
      const startAtMs = Date.now() + 300
      const endS = calmS + floodS
      const visited = people.run<VisitorResult>({
        role: 'visitors',
        target,
        seed: 1,
        startAtMs,
        seconds: endS,
        deadlineMs: DEADLINE_MS,
        cohorts: cohorts(calmS, endS),
        streams: [],
        downloads: [],
      })
      const attacked = attackers.run<AttackResult>(
        homeFloodPlan({
          role: 'attackers',
          target,
          seed: 2,
          startAtMs,
          fromS: calmS,
          // Until the fate of the last visitor is known.
          untilS: endS + DEADLINE_MS / 1000,
          sources: SOURCES,
          perSecond: PER_SOURCE * SOURCES.length,
          connection: 'keep',
          tls: false,
          finishShare: 1,
          path: 'page',
          patienceMs: DEADLINE_MS,
          maxConnections: 8000,
        }),
      )
      const floodAtMs = startAtMs + 1000 * calmS
      const { sent, wanted, answers } = await attacked
      // What was still under way when the attackers left counts too.
      await sleep(2000)
      const seen = await origin.seen(floodAtMs, Number.POSITIVE_INFINITY)
      const { rows } = await visited
      const originHome = seen.byPath['/'] ?? 0
      return {
        sent,
        wanted,
        answers,
        originWithQuery: seen.withQuery,
        originHome,
        originShare: originHome / sent,
        originForgot: seen.forgotten,
        // As in the flood bench: from the second second on.
        visitors: tally(rows, { fromS: calmS + 1, untilS: endS }),
        calm: tally(rows, { fromS: 0, untilS: calmS }),
      }
    })
  } finally {
    await origin.child.stop()
  }
}

function cohorts(calmS: number, endS: number): Cohort[] {
  return [
    { ...usual, name: 'returning', addresses: RETURNING, fromS: 0, untilS: endS },
    { ...usual, name: 'new', addresses: NEW, fromS: calmS, untilS: endS },
  ]
}

function report(outcomes: Readonly<Record<string, Outcome>>, timing: Timing): string {
  const rows = Object.entries(outcomes).map(([name, one]) => [
    name,
    percent(one.originShare, 2),
    `${thousands(one.originHome)} (${thousands(one.originWithQuery)})`,
    thousands(one.sent),
    percent(one.visitors.served / one.visitors.asked),
    ms(one.visitors.p99Ms),
    Object.entries(one.answers)
      .map(([status, n]) => `${status}: ${thousands(n)}`)
      .join(', '),
  ])
  const thin = Object.entries(outcomes).filter(([, { sent, wanted }]) => sent < 0.95 * wanted)
  const own = Object.entries(outcomes).find(([name]) => name.startsWith('digue'))?.[1]
  return [
    `${thousands(SOURCES.length)} addresses × ${PER_SOURCE}/s for ${timing.floodS} s; visitors of the whole site, 100/s.`,
    table(
      [
        '',
        'seen by origin',
        'home page (with query)',
        'of',
        'visitors served',
        'p99',
        'attackers were answered',
      ],
      rows,
    ),
    ...thin.map(
      ([name, { sent, wanted }]) => `${name}: only ${percent(sent / wanted)} of the flood that was meant`,
    ),
    ...(own
      ? [`\ngoal, origin sees ≤ ${percent(GOAL, 0)}: ${own.originShare <= GOAL ? 'met' : 'missed'}`]
      : []),
  ].join('\n')
}
