/**
 * How the origin's time is shared out, one entry per question. Second 0 begins the calm phase; the flood
 * starts `calmS` later. The origin can do 640 pages per second unless the entry says otherwise; visitors
 * are 80 people whom the site has seen in the calm phase and 20 new ones, each asking once per second.
 * Goals count from the second second of the flood on.
 */
import { attackerAddresses, type Source } from '../load/networks.ts'
import type { Cohort } from '../load/plan.ts'
import { NAT, NEW, PEOPLE, RETURNING, SEED, usual } from './people.ts'
import type { Attack, Scenario, Timing } from './scenario.ts'

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

export const FAIRNESS: readonly Scenario[] = [
  {
    name: 'calm',
    group: 'fairness',
    question: 'Is anything refused or slowed while nothing happens?',
    goals: [{ served: 0.9999 }],
    cohorts: (timing) => ordinary(timing),
  },
  {
    name: 'concentrated',
    group: 'fairness',
    question: '40 addresses send 100 requests/s each.',
    goals: [{ served: 0.999 }],
    cohorts: (timing) => ordinary(timing),
    attack: { sources: attackerAddresses('hosting', 40, SEED, PEOPLE), perSecond: 100 },
    sweep: true,
  },
  {
    name: 'cold-hosting',
    group: 'fairness',
    question: '2,000 addresses in 12 hosting networks send 2 requests/s each.',
    goals: [{ served: 0.99 }],
    cohorts: (timing) => ordinary(timing),
    attack: cold('hosting'),
    sweep: true,
  },
  {
    name: 'cold-proxies',
    group: 'fairness',
    question: '2,000 proxies in 200 networks send 2 requests/s each.',
    goals: [],
    cohorts: (timing) => ordinary(timing),
    attack: cold('proxies'),
    sweep: true,
  },
  {
    name: 'cold-providers',
    group: 'fairness',
    question: "2,000 addresses in the visitors' own five providers send 2 requests/s each.",
    goals: [],
    cohorts: (timing) => ordinary(timing),
    attack: cold('providers'),
    sweep: true,
  },
  {
    name: 'pulse',
    group: 'fairness',
    question: 'The hosting flood comes 10 s on, 10 s off.',
    goals: [{ served: 0.99 }],
    cohorts: (timing) => ordinary(timing),
    attack: { ...cold('hosting'), pulse: { onS: 10, offS: 10 } },
    sweep: true,
  },
  {
    name: 'expensive',
    group: 'fairness',
    question: '500 addresses ask for the search page (100 ms) once per second; pages cost 5 ms.',
    goals: [{ served: 0.99 }],
    origin: { costs: { page: 5, search: 100, asset: 1 } },
    cohorts: (timing) => ordinary(timing, { searchShare: 0.02 }),
    attack: { sources: attackerAddresses('hosting', 500, SEED, PEOPLE), perSecond: 1, path: 'search' },
    sweep: true,
  },
  {
    name: 'flash-crowd',
    group: 'fairness',
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
    group: 'fairness',
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
    group: 'fairness',
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
    group: 'fairness',
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
    group: 'fairness',
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
    group: 'fairness',
    question: 'The server is put before the site only in the middle of the hosting flood.',
    goals: [],
    cohorts: (timing) => ordinary(timing),
    attack: cold('hosting'),
    lateStart: true,
    peers: ['unprotected', 'nginx limit_req', 'haproxy', 'digue', 'digue --baseline-from'],
  },
  {
    name: 'slower-origin',
    group: 'fairness',
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
    group: 'fairness',
    question: 'Twenty event streams and twenty slow downloads are open in calm weather.',
    goals: [{ served: 0.9999 }],
    cohorts: (timing) => ordinary(timing),
    streams: 20,
    downloads: 20,
  },
]
