/**
 * Visitors of a made-up site, and floods on it: seeded, correlated as real traits are (a Firefox has a Firefox's TLS,
 * order and language), networks and pages after Zipf's law.
 */
import { TRAITS, type TraitName, type Traits } from '#recognise'
import type { TraitSample } from '../policy.ts'

/** Mulberry32: small, and good enough for a test. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export type Random = () => number
export type Values = Partial<Record<TraitName, string>>

export const vectorOf = (values: Values): Traits => TRAITS.map(({ name }) => values[name] ?? '')

export function pick<T>(list: readonly T[], random: Random): T {
  return list[Math.floor(random() * list.length)]!
}

/** 0 for the most common: P(i) falls with 1 / (i + 1). */
function zipf(count: number, random: Random): number {
  return Math.min(count - 1, Math.floor((count + 1) ** random() - 1))
}

interface Program {
  readonly agent: string
  readonly tls: string
  readonly h2: string
  readonly order: string
  readonly share: number
}

const ENGINES = [
  ['Chrome', 't13d1516h2_8daaf6152771_02713d6af862', '1:65536;4:6291456|15663105|m,a,s,p', '2cf-4-aa'],
  ['Firefox', 't13d1717h2_5b57614c22b0_3d5424432f57', '1:65536;4:131072|12517377|m,p,a,s', '2f-4-bb'],
  ['Safari', 't13d2014h2_a09f3c656075_14788d8d241b', '2:0;4:4194304|10485760|m,s,p,a', '2f-4-cc'],
] as const
const SYSTEMS = ['Windows', 'Android', 'macOS', 'Linux', 'iOS', 'ChromeOS'] as const

/** Some forty families of agents with their TLS, HTTP/2 and order of fields. */
export const PROGRAMS: readonly Program[] = [
  ...ENGINES.flatMap(([engine, tls, h2, order], e) =>
    SYSTEMS.flatMap((system, s) =>
      ['', ' old'].map((age, a) => ({
        agent: `${engine}/${system}${age}`,
        // Old versions differ in TLS; systems in order.
        tls: a === 0 ? tls : `${tls.slice(0, -1)}${a}`,
        h2,
        order: `${order}${system === 'iOS' ? 'f' : '0'}`,
        share: [0.55, 0.15, 0.3][e]! * [0.4, 0.3, 0.12, 0.05, 0.11, 0.02][s]! * [0.9, 0.1][a]!,
      })),
    ),
  ),
  { agent: 'bot:Googlebot', tls: 't13d_bot', h2: '', order: '1-5-d1', share: 0.01 },
  { agent: 'curl', tls: 't13d_curl', h2: 'curl', order: '2-3-e1', share: 0.001 },
  { agent: 'python-requests', tls: 't13d_python', h2: '', order: '1-5-e2', share: 0.001 },
  { agent: '', tls: 't12_old', h2: '', order: '1-2-e3', share: 0.002 },
]

const LANGUAGES = ['fr', 'fr-en', 'en', 'de', 'es', 'it', 'ar', 'pt', 'nl', 'zh'] as const
const PAGES = Array.from({ length: 60 }, (_, i) => (i === 0 ? '/' : `/page-${i}`))

/** One person or robot: what does not change between its requests. */
export interface Visitor {
  readonly asn: number
  readonly prefix: string
  readonly subscriber: string
  readonly program: Program
  readonly language: string
  readonly cookies: string
  readonly isKnown: boolean
}

export function visitor(id: string, random: Random): Visitor {
  let draw = random() * PROGRAMS.reduce((sum, { share }) => sum + share, 0)
  const program = PROGRAMS.find(({ share }) => (draw -= share) < 0) ?? PROGRAMS[0]!
  const asn = 3000 + zipf(300, random)
  const net = Math.floor(random() * 400)
  return {
    asn,
    prefix: `${asn}.${net}`,
    subscriber: `v${id}`,
    program,
    language: LANGUAGES[zipf(LANGUAGES.length, random)]!,
    cookies: random() < 0.6 ? 'some' : 'none',
    isKnown: random() < 0.5,
  }
}

/** One request of a visitor. `lanes`: Digue gives known visitors their lane. */
export function visit(one: Visitor, random: Random, page?: string): TraitSample {
  const { agent, tls, h2, order } = one.program
  const lane = one.isKnown ? 'known' : 'unproven'
  return {
    asn: one.asn,
    prefix: one.prefix,
    subscriber: one.subscriber,
    lane,
    traits: vectorOf({
      tls,
      h2,
      order,
      agent,
      network: `AS${one.asn}`,
      cookies: one.isKnown ? 'own' : one.cookies,
      clearance: lane === 'known' ? 'known' : 'none',
      method: random() < 0.96 ? 'GET' : 'POST',
      path: page ?? PAGES[zipf(PAGES.length, random)]!,
      query: random() < 0.15 ? pick(['q', 'page', 'utm_source', 'id'], random) : '',
      language: agent.startsWith('bot') ? '' : one.language,
      referrer: pick(['self', 'self', 'self', '', 'search.example'], random),
    }),
  }
}

/** A bot of some network of proxies, with what its flood makes it show. */
export function bot(i: number, values: Values, random: Random, networks = 12): TraitSample {
  const asn = 64_500 + (i % networks)
  return {
    asn,
    prefix: `${asn}.${i % 200}`,
    subscriber: `b${i}`,
    lane: 'unproven',
    traits: vectorOf({
      network: `AS${asn}`,
      cookies: 'none',
      clearance: 'none',
      method: 'GET',
      path: '/search',
      query: 'q',
      ...(random() < 0.5 ? { referrer: 'self' } : {}),
      ...values,
    }),
  }
}

export const word = (random: Random): string => random().toString(36).slice(2, 10)
