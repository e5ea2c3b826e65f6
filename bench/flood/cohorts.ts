/**
 * Do people get through, and bots not? Of every hundred who come:
 *
 *   60  returning    hold a known token of earlier days, and are there in calm weather too
 *   20  slow-phone   new; a tenth of the hash rate; served counts within 25 s
 *    3  no-script    new; no JavaScript: they follow what Refresh says; within 120 s
 *   10  cgnat        new; behind one address
 *    3  shared       new; in networks that the bots use too, as over Tor or a VPN
 *    4  new          whoever else
 *
 * All ask once per second, open-loop. Who is new stays ten seconds, then somebody else comes in his
 * place; one without JavaScript wants one page. The first second of the flood counts.
 */
import { attackerAddresses, type Source } from '../load/networks.ts'
import type { Cohort } from '../load/plan.ts'
import { knownCookies } from '../load/tokens.ts'
import { NAT, PEOPLE, SEED, usual } from './people.ts'
import type { Attack, Goal, Scenario, Timing } from './scenario.ts'

const PHONE_DEADLINE_MS = 25_000
const NO_SCRIPT_DEADLINE_MS = 120_000
const STAY_S = 10

const RETURNING = PEOPLE.slice(0, 60)

/** 2,000 attackers and, after them, others who live among them. */
const inhabitants = (source: Source) => attackerAddresses(source, 2060, SEED, PEOPLE)

export function people(timing: Timing, source: Source, noScript = true): Cohort[] {
  const fromS = timing.calmS
  const untilS = fromS + timing.floodS
  const fresh = { ...usual, fromS, untilS, lingers: true }
  const stays = (count: number) => ({ people: count, stayS: STAY_S })
  return [
    {
      ...usual,
      name: 'returning',
      addresses: RETURNING,
      cookies: knownCookies(RETURNING.length, 'visitor'),
      fromS: 0,
      untilS,
      lingers: true,
    },
    {
      ...fresh,
      name: 'slow-phone',
      addresses: PEOPLE.slice(100, 400),
      stays: stays(20),
      device: 'phone',
      deadlineMs: PHONE_DEADLINE_MS,
    },
    ...(noScript
      ? [
          {
            ...fresh,
            name: 'no-script',
            addresses: PEOPLE.slice(400, 1000),
            stays: { people: 3, stayS: 0 },
            device: 'no-script',
            deadlineMs: NO_SCRIPT_DEADLINE_MS,
          } as const,
        ]
      : []),
    { ...fresh, name: 'cgnat', addresses: [NAT], stays: stays(10) },
    { ...fresh, name: 'shared', addresses: inhabitants(source).slice(2000), stays: stays(3) },
    { ...fresh, name: 'new', addresses: PEOPLE.slice(1000, 1200), stays: stays(4) },
  ]
}

export const cold = (source: Source): Attack => ({
  sources: inhabitants(source).slice(0, 2000),
  perSecond: 2,
})

/** Enough to overload the origin and to leave room on the core of load for what comes beside it. */
const background = (source: Source): Attack => ({ ...cold(source), perSecond: 0.5 })

const SCRIPTED = ['returning', 'slow-phone', 'cgnat', 'shared', 'new']
const BYTES: Goal = { bytesPerRefusal: 500 }

/** What the issue of the flood without solvers asks for. */
const EVERYBODY: readonly Goal[] = [
  ...SCRIPTED.map((cohort) => ({ cohort, served: 0.995 })),
  { cohort: 'returning', p99OfCalm: 2 },
  { cohort: 'no-script', served: 0.9 },
  BYTES,
]
/** Where the attackers are real payers or hold real tokens, nobody promises more than most. */
const MOST: readonly Goal[] = [{ served: 0.95 }, BYTES]

const scenario = (name: string, question: string, source: Source, rest: Partial<Scenario>): Scenario => ({
  name,
  group: 'cohorts',
  question,
  goals: EVERYBODY,
  cohorts: (timing) => people(timing, source),
  fromOnset: true,
  peers: ['digue'],
  ...rest,
})

const BESIDE = ['unprotected', 'nginx limit_req', 'haproxy', 'static-challenge', 'digue']

export const COHORTS: readonly Scenario[] = [
  scenario('cohorts-calm', 'Nobody attacks: is anybody asked for anything?', 'hosting', {
    goals: [{ served: 0.9999 }],
  }),
  scenario(
    'cohorts-cold-hosting',
    '2,000 addresses in 12 hosting networks send 2 requests/s each; nobody solves anything.',
    'hosting',
    { attack: cold('hosting'), sweep: true, peers: BESIDE },
  ),
  scenario('cohorts-cold-providers', "The same from the visitors' own five providers.", 'providers', {
    attack: cold('providers'),
    sweep: true,
    peers: BESIDE,
  }),
  scenario(
    'cohorts-cold-20k',
    '20,000 addresses in hosting networks send 0.2 requests/s each, on a new connection each time.',
    'hosting',
    {
      attack: {
        sources: attackerAddresses('hosting', 20_000, SEED, [
          ...PEOPLE,
          ...inhabitants('hosting').slice(2000),
        ]),
        perSecond: 0.2,
        connection: 'new',
      },
      sweep: true,
      peers: BESIDE,
    },
  ),
  scenario(
    'junk-proofs',
    'Beside a flood of 1,000 requests/s, 1,500 addresses send 3,000 proofs of random nonces per second, half of them for forged challenges.',
    'hosting',
    {
      attack: background('hosting'),
      also: [
        {
          sources: inhabitants('hosting').slice(0, 1500),
          perSecond: 2,
          behaviour: () => ({ does: 'junk-proofs', forgedShare: 0.5, parts: 16 }),
        },
      ],
    },
  ),
  ...([400, 2000] as const).map((perSecond) =>
    scenario(
      `page-flood-${perSecond}`,
      `Beside a flood of 1,000 requests/s, 400 addresses follow a ticket to the whole page and take it ${perSecond} times per second.`,
      'hosting',
      {
        attack: background('hosting'),
        also: [
          {
            sources: inhabitants('hosting').slice(0, 400),
            perSecond: perSecond / 400,
            behaviour: () => ({ does: 'pages' }),
          },
        ],
      },
    ),
  ),
  scenario(
    'ticket-flood',
    '2,000 addresses take tickets and come back with each at its time: 4,000 requests/s.',
    'hosting',
    { attack: { ...cold('hosting'), behaviour: () => ({ does: 'tickets' }) } },
  ),
  ...(['hosting', 'providers'] as const).map((source) =>
    scenario(
      `harvested-${source}`,
      `2,000 addresses in ${source === 'hosting' ? 'hosting networks' : "the visitors' own providers"} send 2 requests/s each, each with a valid known token of its own.`,
      source,
      {
        attack: {
          ...cold(source),
          behaviour: () => ({ does: 'cookies', cookies: knownCookies(2000, 'harvested') }),
        },
        goals: MOST,
      },
    ),
  ),
]
