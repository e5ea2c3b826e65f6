/**
 * Attackers who pay: from which size on does a farm of solvers take the site? Beside a challenge of
 * static difficulty, whose pass is good for a week.
 */
import { NATIVE_MS_PER_PART, STATIC_NATIVE_MS } from '../load/effort.ts'
import type { FarmPlan } from '../load/plan.ts'
import { cold, people } from './cohorts.ts'
import type { Attack, Scenario } from './scenario.ts'

type From = 'hosting' | 'providers'

/** What one part costs one native core, by what it must solve. */
const msPerPart = (peer: string) => (peer === 'static-challenge' ? STATIC_NATIVE_MS : NATIVE_MS_PER_PART)

/** Farms lend what they buy to the same 2,000 addresses that flood: a clearance for each request while there is one. */
const farm = (from: From, plan: Pick<FarmPlan, 'cores'> & Partial<FarmPlan>): Attack => ({
  ...cold(from),
  behaviour: (peer) => ({ does: 'farm', msPerPart: msPerPart(peer), ...plan }),
})

const WHERE = { hosting: 'hosting networks', providers: "the visitors' own providers" } as const

const sized = (cores: number, from: From): Scenario => ({
  name: `farm-${cores}-${from}`,
  group: 'farms',
  question: `2,000 addresses in ${WHERE[from]} send 4,000 requests/s and spend what ${cores} cores of native code can buy.`,
  goals: cores === 8 ? [{ served: from === 'hosting' ? 0.95 : 0.7 }] : [],
  cohorts: (timing) => people(timing, from),
  attack: farm(from, { cores }),
  fromOnset: true,
  peers: ['static-challenge', 'digue'],
  farm: { cores, from },
})

const MOST_PRICE = 128

export const FARMS: readonly Scenario[] = [
  ...[1, 8, 64].map((cores) => sized(cores, 'hosting')),
  ...[1, 8, 64].map((cores) => sized(cores, 'providers')),
  ...(['hosting', 'providers'] as const).map(
    (from): Scenario => ({
      name: `overbid-${from}`,
      group: 'farms',
      question: `Beside the flood, 8 cores bid the highest price all at once every 2.1 s, through 200 addresses in ${WHERE[from]}, and are silent between: what do visitors pay?`,
      goals: [{ served: from === 'hosting' ? 0.995 : 0.7 }],
      cohorts: (timing) => people(timing, from),
      attack: { ...cold(from), perSecond: 1 },
      also: [
        {
          ...farm(from, { cores: 8, bid: MOST_PRICE }),
          sources: cold(from).sources.slice(0, 200),
          perSecond: 2,
          // A period that is not the price's own: over a run the bids fall on every moment of its tick.
          pulse: { onS: 0.3, offS: 1.8 },
        },
      ],
      fromOnset: true,
      peers: ['digue'],
    }),
  ),
  {
    name: 'shared-clearance',
    group: 'farms',
    question: '2,000 addresses in hosting networks share four clearances at a time; one core buys new ones.',
    goals: [{ served: 0.995 }],
    cohorts: (timing) => people(timing, 'hosting'),
    attack: farm('hosting', { cores: 1, sharedBy: 500 }),
    fromOnset: true,
    peers: ['digue'],
  },
]
