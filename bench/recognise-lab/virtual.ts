/**
 * The same floods in virtual time, and a day of calm weather that is mined all the same: what they send goes through
 * the deciders themselves, without a socket and without a clock, so that a busy machine changes nothing.
 *
 * A request's fields, ClientHello and HTTP/2 settings are the ones that the generators send. Left out is what an edge
 * does with it: 256 clients of a quarter second are sampled as an edge samples them, the queue is full from the
 * flood's first quarter second on, and nobody is shed, so that all are asked of.
 */
import {
  Brain,
  type EdgeReport,
  SignatureBook,
  type SiteReport,
  TraitBaseline,
  type TraitSample,
} from '#control'
import { h2FingerprintOf, ja4Of, parseClientHello, SignatureMatcher, type Traits, traitsOf } from '#recognise'
import { HOST } from '../lib/certificate.ts'
import { fieldsNow } from '../load/fields-now.ts'
import { attackerAddresses, NETWORKS, visitorAddresses } from '../load/networks.ts'
import type { FloodTool, Handwriting } from '../load/plan.ts'
import { below, pick, type Random, seeded, shuffle } from '../load/random.ts'
import type { Flood } from './floods.ts'
import { APP, CRAWLER, visitorsHandwritings } from './handwritings.ts'

const TICK_MS = 250
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SITE = 'site'
const SAMPLES = 256
/** In the middle of the night, UTC. */
const START_MS = Date.UTC(2026, 2, 2)

export interface Connection {
  readonly ja4: string
  readonly h2: string
}

const PLAIN: Connection = { ja4: '', h2: '' }
const ja4s = new Map<string, string>()

function ja4(hello: string | undefined): string {
  if (hello === undefined) return ''
  let known = ja4s.get(hello)
  if (known === undefined) {
    const read = parseClientHello(Buffer.from(hello, 'base64'))
    known = read.kind === 'hello' ? ja4Of(read.hello) : ''
    ja4s.set(hello, known)
  }
  return known
}

export function connectionOf({ hello, h2 }: Handwriting): Connection {
  if (hello === undefined) return PLAIN
  return {
    ja4: ja4(hello),
    h2:
      h2 === undefined
        ? ''
        : h2FingerprintOf(
            h2.settings,
            h2.window,
            h2.pseudo.flatMap((name) => [name, '']),
          ),
  }
}

const ASN = new Map(NETWORKS.map(({ octet, asn }) => [octet, asn]))
const asnOf = (address: string) => ASN.get(Number(address.split('.')[1])) ?? 0
const prefixOf = (address: string) => address.slice(0, address.lastIndexOf('.'))

interface Asked {
  readonly address: string
  readonly target: string
  readonly fields: readonly string[]
  readonly connection: Connection
  readonly secure: boolean
}

function sampleOf({ address, target, fields, connection, secure }: Asked): TraitSample {
  const asn = asnOf(address)
  const traits: Traits = traitsOf({
    method: 'GET',
    target,
    host: HOST,
    fields,
    secure,
    httpVersion: connection.h2 === '' ? '1.1' : '2',
    isDirect: true,
    ...connection,
    asn,
    lane: 'unproven',
    hasOwnCookie: false,
  })
  return { asn, prefix: prefixOf(address), subscriber: address, lane: 'unproven', traits }
}

/** Somebody who reads the site. */
class Reader {
  readonly address: string
  readonly #writing: Handwriting
  readonly #connection: Connection
  readonly #secure: boolean
  #referrer: string
  #cookie = ''

  constructor(address: string, writing: Handwriting, secure: boolean, referrer = '') {
    this.address = address
    this.#writing = writing
    this.#connection = connectionOf(writing)
    this.#secure = secure
    this.#referrer = referrer
  }

  ask(target: string): TraitSample {
    const moment = { host: HOST, cookie: this.#cookie, referrer: this.#referrer }
    const fields = [...fieldsNow(this.#writing.navigation, moment)].flat()
    this.#referrer = `${this.#secure ? 'https' : 'http'}://${HOST}${target}`
    this.#cookie = 'visit=1'
    return sampleOf({
      address: this.address,
      target,
      fields,
      connection: this.#connection,
      secure: this.#secure,
    })
  }
}

const page = (random: Random) => {
  const n = below(random, 60)
  return n === 0 ? '/' : n > 55 ? `/search?q=word${n}` : n > 50 ? `/agenda?page=${n}` : `/article/${n}`
}

/** Addresses of everybody who comes in a day. */
const PEOPLE = visitorAddresses(16_000, 11)

export interface DayRecord {
  readonly secure: boolean
  readonly requests: number
  readonly clients: number
  readonly minings: number
  readonly published: readonly { readonly atS: number; readonly reason: string }[]
  readonly heldBack: readonly string[]
}

/**
 * Two days: one to learn, one that is mined every five seconds while it is learned, in a quick run of a tenth of the readers
 * every thirty. `state` is what a brain knows then.
 * The days have a night, a newsletter at ten, a message of the site's app at six, and crawlers at night.
 */
export function calmDays(
  secure: boolean,
  length: 'quick' | 'full',
  onHour: (hour: number) => void,
): { day: DayRecord; state: object } {
  const scale = length === 'quick' ? 0.1 : 0.25
  const mineEveryMs = length === 'quick' ? 30_000 : 5000
  const random = seeded(12)
  const baseline = new TraitBaseline({ random })
  const book = new SignatureBook(baseline, random)
  const writings = visitorsHandwritings(secure, PEOPLE.length)
  const app = APP(secure)
  const crawler = CRAWLER(secure)
  const bots = attackerAddresses('hosting', 40, 13)
  const newcomer = (): Reader => {
    const i = below(random, PEOPLE.length)
    // Two of a hundred read with the site's app.
    const writing = i % 50 === 0 ? app : writings[i]!
    return new Reader(
      PEOPLE[i]!,
      writing,
      secure,
      pick(random, ['', '', 'https://www.google.com/', 'https://duckduckgo.com/']),
    )
  }
  const appUsers = PEOPLE.filter((_, i) => i % 50 === 0)
  const published: { atS: number; reason: string }[] = []
  const seen = new Set<string>()
  const heldBack = new Set<string>()
  let requests = 0
  let minings = 0
  let here: Reader[] = []
  const STEP_MS = 5000
  for (let atMs = 0; atMs < 2 * DAY_MS; atMs += STEP_MS) {
    const nowMs = START_MS + atMs
    const hour = (atMs % DAY_MS) / HOUR_MS
    if (atMs % HOUR_MS === 0) onHour(atMs / HOUR_MS)
    // From two readers a second at four in the night to forty at four in the afternoon.
    const perSecond = scale * (21 - 19 * Math.cos(((hour - 4) / 24) * 2 * Math.PI))
    const wanted = Math.ceil(perSecond * 20)
    here = here.filter(() => random() > 0.1).slice(0, wanted)
    while (here.length < wanted) here.push(newcomer())
    const samples: TraitSample[] = []
    const count = Math.round(perSecond * (STEP_MS / 1000))
    for (let i = 0; i < count; i++) samples.push(pick(random, here).ask(page(random)))
    // The newsletter, and the app's message: everybody within minutes, and on one page.
    if (hour >= 10 && hour < 10.05)
      for (let i = 0; i < scale * 150; i++) {
        const n = below(random, PEOPLE.length)
        const reader = new Reader(PEOPLE[n]!, writings[n]!, secure, 'https://webmail.example.org/')
        samples.push(reader.ask('/article/31?utm_source=newsletter&utm_medium=email'))
      }
    if (hour >= 18 && hour < 18.03)
      for (let i = 0; i < scale * 100; i++)
        samples.push(new Reader(pick(random, appUsers), app, secure).ask('/article/32?from=push'))
    for (let i = 0; i < (hour < 5 ? 20 : 4); i++)
      samples.push(new Reader(pick(random, bots), crawler, secure).ask(page(random)))
    requests += samples.length
    if (atMs >= DAY_MS) {
      for (let i = 0; i < samples.length; i += SAMPLES) {
        const tickMs = nowMs + Math.floor((i / Math.max(1, samples.length)) * STEP_MS)
        book.take(samples.slice(i, i + SAMPLES), tickMs)
      }
      if (atMs % mineEveryMs === 0) {
        minings++
        book.tick(nowMs + STEP_MS - 1, true)
      }
      for (const { id, reason } of book.published.signatures)
        if (!seen.has(id)) {
          seen.add(id)
          published.push({ atS: atMs / 1000, reason })
        }
      for (const { why, reason } of book.summary().heldBack) heldBack.add(`${why}: ${reason}`)
    }
    for (const sample of samples) baseline.add(sample, nowMs)
  }
  return {
    day: {
      secure,
      requests,
      clients: baseline.clients,
      minings,
      published,
      heldBack: [...heldBack].slice(0, 10),
    },
    state: { traits: { [SITE]: baseline.toState() } },
  }
}

export interface VirtualRecord {
  readonly flood: string
  readonly expected: Flood['expected']
  readonly recognisedS: readonly (number | null)[]
  readonly markedShare: number
  readonly visitors: { readonly seen: number; readonly marked: number }
  readonly published: readonly { readonly id: string; readonly reason: string; readonly afterS: number }[]
  readonly heldBack: readonly string[]
}

const ATTACKERS = 2000
const VISITORS_PER_SECOND = 120
const RECOGNISED = 0.95

/** Fields of heads that were already taken apart. */
const parsed = new Map<string, readonly string[]>()

function fieldsOf(head: string): readonly string[] {
  let known = parsed.get(head)
  if (known === undefined) {
    known = head
      .split('\r\n')
      .filter((line) => line !== '')
      .flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
    parsed.set(head, known)
  }
  return known
}

export function virtualFlood(flood: Flood, state: object, floodS: number): VirtualRecord {
  const random = seeded(14)
  const secure = flood.tls ?? false
  // Ten in the morning, the day after.
  let nowMs = START_MS + 2 * DAY_MS + 10 * HOUR_MS
  const brain = Brain.fromState(state, { sites: [SITE] }, nowMs)
  const writings = visitorsHandwritings(secure, PEOPLE.length)
  const attackers = attackerAddresses('proxies', ATTACKERS, 15, PEOPLE)
  const writing = flood.writing?.(floodS / (flood.changes ?? 1))
  const crowdWritings = flood.crowd ? visitorsHandwritings(secure, 8000) : []
  const here = Array.from({ length: 2000 }, () => newReader())
  function newReader(): Reader {
    const i = below(random, PEOPLE.length)
    return new Reader(PEOPLE[i]!, writings[i]!, secure)
  }
  const seen: number[] = []
  const marked: number[] = []
  const visitors = { seen: 0, marked: 0 }
  const published = new Map<string, { id: string; reason: string; afterS: number }>()
  const heldBack = new Set<string>()
  const calmTicks = 40
  const crowd = shuffle(random, visitorAddresses(4000, 16))
  for (let tick = -calmTicks; tick < (floodS * 1000) / TICK_MS; tick++) {
    const inForce = brain.policy.signatures?.[SITE]
    const matcher = inForce && new SignatureMatcher(inForce)
    const samples: TraitSample[] = []
    const take = (sample: TraitSample): boolean => {
      samples.push(sample)
      return matcher?.match(sample.traits) !== undefined
    }
    for (let i = 0; i < (VISITORS_PER_SECOND * TICK_MS) / 1000; i++) {
      const at = below(random, here.length)
      const isMarked = take(here[at]!.ask(page(random)))
      if (random() < 0.2) here[at] = newReader()
      if (tick < 0) continue
      visitors.seen++
      if (isMarked) visitors.marked++
    }
    if (tick >= 0 && flood.crowd)
      for (let i = 0; i < (1000 * TICK_MS) / 1000; i++) {
        const n = below(random, crowd.length)
        const reader = new Reader(crowd[n]!, crowdWritings[n]!, secure, 'https://news.example.org/')
        visitors.seen++
        if (take(reader.ask('/article/7'))) visitors.marked++
      }
    let [attacks, caught] = [0, 0]
    if (tick >= 0 && writing !== undefined) {
      const { tools, changesEveryS } = writing
      const count = ((flood.perSecond ?? 2) * ATTACKERS * TICK_MS) / 1000
      for (let i = 0; i < count; i++) {
        const source = below(random, ATTACKERS)
        const at = changesEveryS === undefined ? source : Math.floor((tick * TICK_MS) / 1000 / changesEveryS)
        attacks++
        if (take(attack(attackers[source]!, tools[at % tools.length]!, random, secure))) caught++
      }
    }
    if (tick >= 0) {
      seen.push(attacks)
      marked.push(caught)
    }
    nowMs += TICK_MS
    brain.receive(report(nowMs, samples, tick >= 0, random), nowMs)
    brain.tick(nowMs)
    const status = brain.signatures(SITE)[0]!
    for (const { id, reason } of status.published)
      if (!published.has(id)) published.set(id, { id, reason, afterS: (tick + 1) * (TICK_MS / 1000) })
    for (const { why, reason } of status.heldBack) heldBack.add(`${why}: ${reason}`)
  }
  const phases = writing === undefined ? 0 : (flood.changes ?? 1)
  const phaseTicks = seen.length / Math.max(1, phases)
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0)
  return {
    flood: flood.name,
    expected: flood.expected,
    recognisedS: Array.from({ length: phases }, (_, i) => {
      const [from, until] = [Math.round(i * phaseTicks), Math.round((i + 1) * phaseTicks)]
      return secondsUntil(seen.slice(from, until), marked.slice(from, until))
    }),
    markedShare: sum(marked) / Math.max(1, sum(seen)),
    visitors,
    published: [...published.values()],
    heldBack: [...heldBack].slice(0, 10),
  }
}

function attack(address: string, tool: FloodTool, random: Random, secure: boolean): TraitSample {
  return sampleOf({
    address,
    target: pick(random, tool.targets),
    fields: fieldsOf(pick(random, tool.heads)),
    connection: { ja4: ja4(tool.hello), h2: '' },
    secure,
  })
}

/** Seconds until, of the requests of the last second, so many are under a signature. */
function secondsUntil(seen: readonly number[], marked: readonly number[]): number | null {
  const perSecond = 1000 / TICK_MS
  for (let end = 1; end <= seen.length; end++) {
    const from = Math.max(0, end - perSecond)
    const sum = (list: readonly number[]) => list.slice(from, end).reduce((a, b) => a + b, 0)
    if (sum(seen) > 0 && sum(marked) >= RECOGNISED * sum(seen)) return end / perSecond
  }
  return null
}

/** One edge's quarter of a second: of each client one request, of so many clients. */
function report(
  nowMs: number,
  samples: readonly TraitSample[],
  isFlood: boolean,
  random: Random,
): EdgeReport {
  const byClient = new Map<string, TraitSample>()
  for (const sample of shuffle(random, [...samples])) byClient.set(sample.subscriber, sample)
  const traits = [...byClient.values()].slice(0, SAMPLES)
  const delayMs = isFlood ? 200 : 0
  const shed = isFlood ? Math.round(samples.length * 0.8) : 0
  const site: SiteReport = {
    tallies: [
      { lane: 'unproven', action: 'relay', reason: '', count: samples.length - shed, originMs: 0 },
      { lane: 'unproven', action: 'shed', reason: 'over-share', count: shed, originMs: 0 },
    ],
    queueDelayMs: delayMs,
    queueDelayMaxMs: delayMs,
    waiting: 0,
    longLived: 0,
    calm: [],
    calmLost: 0,
    traits,
    latency: [],
    origins: [],
  }
  return {
    thread: 0,
    atMs: nowMs,
    sites: { [SITE]: site },
    gauges: {},
    counters: {},
    records: [],
    recordsLost: 0,
  }
}
