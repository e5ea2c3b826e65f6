/**
 * What the flood bench asks, one entry per question. Second 0 begins the calm phase; the flood starts
 * `calmS` later. The origin can do 640 pages per second unless the entry says otherwise; visitors are
 * 80 people whom the site has seen in the calm phase and 20 new ones, each asking once per second.
 */
import { attackerAddresses, type Source, visitorAddresses } from '../load/networks.ts'
import type { Cohort } from '../load/plan.ts'
import type { OriginPlan } from '../origin/origin.ts'

export interface Attack {
  readonly sources: readonly string[]
  /** Of each source. `handshakes`: this many times the measured handshake rate of the server's core, in all. */
  readonly perSecond: number | { readonly handshakes: number }
  readonly connection?: 'keep' | 'new'
  readonly tls?: boolean
  readonly path?: 'page' | 'search'
  readonly pulse?: { readonly onS: number; readonly offS: number }
}

export interface Timing {
  readonly calmS: number
  readonly floodS: number
}

export interface Scenario {
  readonly name: string
  readonly question: string
  /** Share of visitors (of a cohort where one is named) that Digue should serve, from the second second on. */
  readonly goals: readonly { readonly cohort?: string; readonly served: number }[]
  readonly origin?: Partial<OriginPlan>
  cohorts(timing: Timing): Cohort[]
  readonly attack?: Attack
  /** The origin becomes this many times slower when the flood would begin. */
  readonly slower?: number
  readonly streams?: number
  readonly downloads?: number
  /** The peer is started only in the middle of the flood. */
  readonly lateStart?: boolean
  /** nginx and HAProxy are shown at the best of several settings. */
  readonly sweep?: boolean
  /** A page is 21 requests at once: without a sweep the peers' last, widest setting is used. */
  readonly loose?: boolean
  /** Share of capacity that went to visitors is the measure, not the share of visitors served. */
  readonly byCapacity?: boolean
  readonly peers?: readonly string[]
}

const SEED = 20240824
const PEOPLE = visitorAddresses(4000, SEED)
const RETURNING = PEOPLE.slice(0, 80)
const NEW = PEOPLE.slice(80, 100)

const usual = { perSecond: 1, protocol: 'http', connection: 'keep', assets: 0, searchShare: 0 } as const

function ordinary(timing: Timing, change: Partial<Cohort> = {}): Cohort[] {
  const untilS = timing.calmS + timing.floodS
  return [
    { ...usual, name: 'returning', addresses: RETURNING, fromS: 0, untilS, ...change },
    { ...usual, name: 'new', addresses: NEW, fromS: timing.calmS, untilS, ...change },
  ]
}

const cold = (source: Source): Attack => ({
  sources: attackerAddresses(source, 2000, SEED, PEOPLE),
  perSecond: 2,
})

/** A visit every five seconds: one navigation and 20 assets over HTTP/2. */
const pages = { protocol: 'h2', assets: 20, perSecond: 0.2 } as const

const NAT = '127.10.99.9'

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'calm',
    question: 'Is anything refused or slowed while nothing happens?',
    goals: [{ served: 0.9999 }],
    cohorts: (timing) => ordinary(timing),
  },
  {
    name: 'concentrated',
    question: '40 addresses send 100 requests/s each.',
    goals: [{ served: 0.999 }],
    cohorts: (timing) => ordinary(timing),
    attack: { sources: attackerAddresses('hosting', 40, SEED, PEOPLE), perSecond: 100 },
    sweep: true,
  },
  {
    name: 'cold-hosting',
    question: '2,000 addresses in 12 hosting networks send 2 requests/s each.',
    goals: [{ served: 0.99 }],
    cohorts: (timing) => ordinary(timing),
    attack: cold('hosting'),
    sweep: true,
  },
  {
    name: 'cold-proxies',
    question: '2,000 proxies in 200 networks send 2 requests/s each.',
    goals: [],
    cohorts: (timing) => ordinary(timing),
    attack: cold('proxies'),
    sweep: true,
  },
  {
    name: 'cold-providers',
    question: "2,000 addresses in the visitors' own five providers send 2 requests/s each.",
    goals: [],
    cohorts: (timing) => ordinary(timing),
    attack: cold('providers'),
    sweep: true,
  },
  {
    name: 'pulse',
    question: 'The hosting flood comes 10 s on, 10 s off.',
    goals: [{ served: 0.99 }],
    cohorts: (timing) => ordinary(timing),
    attack: { ...cold('hosting'), pulse: { onS: 10, offS: 10 } },
    sweep: true,
  },
  {
    name: 'expensive',
    question: '500 addresses ask for the search page (100 ms) once per second; pages cost 5 ms.',
    goals: [{ served: 0.99 }],
    origin: { costs: { page: 5, search: 100, asset: 1 } },
    cohorts: (timing) => ordinary(timing, { searchShare: 0.02 }),
    attack: { sources: attackerAddresses('hosting', 500, SEED, PEOPLE), perSecond: 1, path: 'search' },
    sweep: true,
  },
  {
    name: 'flash-crowd',
    question:
      'Twenty times the visitors, no attacker: does capacity go to them, evenly, with nobody refused?',
    goals: [],
    cohorts: (timing) => [
      { ...usual, name: 'returning', addresses: RETURNING, fromS: 0, untilS: timing.calmS + timing.floodS },
      {
        ...usual,
        name: 'new',
        addresses: PEOPLE.slice(80, 2000),
        fromS: timing.calmS,
        untilS: timing.calmS + timing.floodS,
      },
    ],
    byCapacity: true,
  },
  {
    name: 'cgnat',
    question:
      '50 visitors share one address with 5 attackers who send 200 requests/s each; 50 visitors are elsewhere.',
    goals: [{ cohort: 'elsewhere', served: 0.99 }],
    cohorts: (timing) => [
      {
        ...usual,
        name: 'elsewhere',
        addresses: RETURNING.slice(0, 50),
        fromS: 0,
        untilS: timing.calmS + timing.floodS,
      },
      {
        ...usual,
        name: 'behind-nat',
        addresses: new Array<string>(50).fill(NAT),
        fromS: 0,
        untilS: timing.calmS + timing.floodS,
      },
    ],
    attack: { sources: new Array<string>(5).fill(NAT), perSecond: 200 },
    sweep: true,
  },
  {
    name: 'pages',
    sweep: true,
    loose: true,
    question:
      'Whole pages (a navigation and 20 assets over HTTP/2, served means all of them) under the hosting flood.',
    goals: [{ served: 0.99 }],
    cohorts: (timing) => ordinary(timing, pages),
    attack: cold('hosting'),
  },
  {
    name: 'pages-crowd',
    sweep: true,
    loose: true,
    question: 'Whole pages under the hosting flood while ten times the visitors come.',
    goals: [],
    cohorts: (timing) => {
      const untilS = timing.calmS + timing.floodS
      return [
        { ...usual, ...pages, name: 'returning', addresses: RETURNING, fromS: 0, untilS },
        // 1,000 people × 0.2 visits × 32.5 ms is four fifths of what the origin can do.
        { ...usual, ...pages, name: 'new', addresses: PEOPLE.slice(80, 1000), fromS: timing.calmS, untilS },
      ]
    },
    attack: cold('hosting'),
  },
  {
    name: 'https-cold',
    sweep: true,
    question:
      "HTTPS with a new connection per request, at twice the core's handshake rate, from hosting networks.",
    goals: [
      { cohort: 'connected', served: 0.99 },
      { cohort: 'ticket', served: 0.99 },
      { cohort: 'new', served: 0.9 },
    ],
    cohorts: (timing) => {
      const untilS = timing.calmS + timing.floodS
      const https = { ...usual, protocol: 'https', perSecond: 0.5 } as const
      return [
        { ...https, name: 'connected', addresses: RETURNING.slice(0, 40), fromS: 0, untilS },
        { ...https, name: 'ticket', addresses: RETURNING.slice(40), fromS: 0, untilS, connection: 'ticket' },
        {
          ...https,
          name: 'new',
          addresses: PEOPLE.slice(80, 580),
          perSecond: 0.02,
          fromS: timing.calmS,
          untilS,
          connection: 'fresh',
        },
      ]
    },
    attack: {
      sources: attackerAddresses('hosting', 2000, SEED, PEOPLE),
      perSecond: { handshakes: 2 },
      connection: 'new',
      tls: true,
    },
  },
  {
    name: 'late-start',
    question: 'The server is put before the site only in the middle of the hosting flood.',
    goals: [],
    cohorts: (timing) => ordinary(timing),
    attack: cold('hosting'),
    lateStart: true,
    peers: ['unprotected', 'nginx limit_req', 'haproxy', 'digue', 'digue --baseline-from'],
  },
  {
    name: 'slower-origin',
    question: 'The origin becomes three times slower; nobody attacks. When is throughput full again?',
    goals: [{ served: 0.99 }],
    cohorts: (timing) => [
      // 150 pages/s × 37.5 ms keeps 5.6 of the 8 servers busy.
      {
        ...usual,
        name: 'returning',
        addresses: PEOPLE.slice(0, 150),
        fromS: 0,
        untilS: timing.calmS + timing.floodS,
      },
    ],
    slower: 3,
  },
  {
    name: 'long-lived',
    question: 'Twenty event streams and twenty slow downloads are open in calm weather.',
    goals: [{ served: 0.9999 }],
    cohorts: (timing) => ordinary(timing),
    streams: 20,
    downloads: 20,
  },
]

/** Addresses of those who hold streams and downloads. */
export const HOLDERS = PEOPLE.slice(3000, 3100)
/** Whom the past access log speaks of. */
export const REGULARS = RETURNING
