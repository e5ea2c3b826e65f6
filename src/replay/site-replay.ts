/**
 * One site's log: judged second by second, accounted request by request some seconds later.
 *
 * The deciders are those of a running Digue: `PostureMachine` on the figures of `LoadModel`, and `SignatureBook` on a
 * sample of the clients. What calm weather looks like is learned as the brain learns it: only in calm weather,
 * late, and not while an incident may still go on.
 */
import { PostureMachine, SignatureBook, TraitBaseline, type TraitSample } from '#control'
import { LOG_TRAITS, logTraitsOf, SignatureMatcher, type Traits } from '#recognise'
import { CalmClients } from './calm-clients.ts'
import { ClientSample, type SampledClient } from './client-sample.ts'
import { Incident, PAUSE_S, WAVE_GAP_S } from './incident.ts'
import { type LearnedSite, SUMS } from './learned.ts'
import { LoadModel, type SecondFigures } from './load-model.ts'
import { HELD_S, type LogWindow, RING_S } from './log-window.ts'
import { type LogClient, METHODS, routeFor } from './log-words.ts'
import { Shape } from './shape.ts'
import { StoredPages } from './stored-pages.ts'
import { Timeline } from './timeline.ts'
import { Week } from './week.ts'

/** An incident is one when so many of the last ten seconds were too much. */
const LEAST_OVER_S = 5
const OVER_MASK = (1 << 10) - 1
const TICKS = 4
/** As in PostureMachine: a longer wait than this is overload. */
const OVERLOAD_DELAY_MS = 20
/** Nobody looks beyond: what comes after is in the counters. */
const MOST_INCIDENTS = 100
/** A longer silence is where the log has nothing, not where the site had no visitors. */
const LONGEST_SILENCE_S = 3600
const MOST_TROUBLES = 50
const TROUBLE_GAP_S = 60
const LEAST_TROUBLE_S = 5
/** Requests of one second of which all is looked at. */
const SAMPLES = 1024
/** Some seconds after a wave began signatures are mined every five seconds only: the window of clients is as long. */
const MINED_EACH_S = 15
const MINED_EVERY_S = 5
/** From so many vectors on, the reservoir is offered one request in four seconds: 900 in an hour. */
const ENOUGH_VECTORS = 2048
const OFFER_EVERY_S = 4
const KNOWN: ReadonlySet<(typeof LOG_TRAITS)[number]> = new Set(LOG_TRAITS)

/** The site did badly without more requests than usual. */
export interface Trouble {
  readonly fromS: number
  toS: number
  seconds: number
  requests: number
  overloaded: number
}

interface RingSecond extends SecondFigures {
  second: number
}

/** `traits`: of a part of the requests only, a few hundred an hour and more in the beginning. */
export type OnCalm = (site: string, client: LogClient, atMs: number, traits: Traits | undefined) => void

export interface SiteReplayOptions {
  readonly zoneOffsetMs: (atMs: number) => number
  readonly capacity?: number | undefined
  readonly onCalm?: OnCalm | undefined
  readonly random?: () => number
}

export class SiteReplay {
  readonly name: string
  readonly load: LoadModel
  readonly calm = new Shape({ withAddresses: false })
  readonly calmClients = new ClientSample()
  readonly week: Week
  readonly pages = new StoredPages()
  readonly timeline = new Timeline(60)
  readonly incidents: Incident[] = []
  readonly troubles: Trouble[] = []
  readonly traits: TraitBaseline
  incidentsLeftOut = 0
  requests = 0
  firstAtMs = Number.POSITIVE_INFINITY
  lastAtMs = 0
  /** Bursts too short to be an incident, seconds. */
  burstSeconds = 0
  readonly #known = new CalmClients()
  readonly #book: SignatureBook
  readonly #posture = new PostureMachine()
  readonly #ring: RingSecond[] = Array.from({ length: RING_S }, () => blankSecond())
  readonly #random: () => number
  readonly #onCalm: OnCalm | undefined
  #open: Incident | undefined
  #over = 0
  #judgedS = Number.NaN
  #matcher: SignatureMatcher | undefined
  #matcherOf: unknown
  #turn = 0
  #samples: TraitSample[] = []
  #stride = 1
  #offeredS = Number.NEGATIVE_INFINITY
  #phaseS = Number.NaN
  #phase: Incident | undefined
  #overS = 0
  #leftCalmS = Number.NaN

  constructor(name: string, options: SiteReplayOptions) {
    this.name = name
    this.load = new LoadModel(options.capacity)
    this.week = new Week(options.zoneOffsetMs)
    this.#onCalm = options.onCalm
    this.#random = options.random ?? Math.random
    this.traits = new TraitBaseline({ random: this.#random })
    this.#book = new SignatureBook(this.traits, this.#random)
  }

  /** Counts a request into its second, before the second is judged. */
  count(second: number, status: number, isAsset: boolean, durationMs: number): void {
    const entry = this.#second(second)
    entry.requests++
    if (!isAsset) entry.pages++
    if (isOverload(status)) entry.overloaded++
    if (durationMs >= 0) {
      entry.durationMs += durationMs
      entry.timed++
    }
  }

  #second(second: number): RingSecond {
    const entry = this.#ring[second & (RING_S - 1)]!
    if (entry.second !== second) Object.assign(entry, blankSecond(), { second })
    return entry
  }

  /** Judges a second in which there were requests; those in between had none. `accountedS`: what is accounted is past. */
  judge(second: number, accountedS: number): void {
    if (!Number.isNaN(this.#judgedS)) this.#pass(second - 1)
    this.#judgeOne(second, this.#second(second), accountedS)
  }

  /** Seconds without requests, up to and including `lastS`. */
  #pass(lastS: number): void {
    const silent = lastS - this.#judgedS
    if (silent <= 0) return
    // After a minute of silence nothing changes any more.
    const until = Math.min(lastS, this.#judgedS + 60)
    for (let second = this.#judgedS + 1; second <= until; second++)
      this.#judgeOne(second, NOTHING, second - 1)
    if (this.#open === undefined) this.load.learnSilence(Math.min(silent, LONGEST_SILENCE_S))
    this.#judgedS = lastS
    this.#closeIfOver(lastS)
  }

  #judgeOne(second: number, figures: SecondFigures, accountedS: number): void {
    this.#judgedS = second
    const { queueDelayMs, shed, isOwnTrouble } = this.load.judge(figures)
    for (let tick = 0; tick < TICKS; tick++)
      if (this.#posture.tick({ queueDelayMs, requests: figures.requests / TICKS, shed: shed / TICKS })) {
        const { posture } = this.#posture
        if (posture === 'calm') this.#leftCalmS = Number.NaN
        else if (Number.isNaN(this.#leftCalmS)) this.#leftCalmS = second
        this.#open?.postured(posture, second)
      }
    if (isOwnTrouble) this.#trouble(second, figures)
    const isOver = queueDelayMs > OVERLOAD_DELAY_MS
    this.#over = ((this.#over << 1) | (isOver ? 1 : 0)) & OVER_MASK
    if (isOver) {
      this.#overS++
      if (this.#open === undefined) {
        if (countOnes(this.#over) >= LEAST_OVER_S) this.#begin(second, accountedS)
      } else if (second > this.#open.lastS + WAVE_GAP_S)
        this.#open.extend(second, this.#onset(second, accountedS))
      else this.#open.extend(second, second)
    }
    this.#closeIfOver(second)
  }

  #begin(second: number, accountedS: number): void {
    if (this.incidents.length >= MOST_INCIDENTS) {
      this.incidentsLeftOut++
      return
    }
    const onsetS = this.#onset(second, accountedS)
    const before = this.load.typical
    // The walk back ended at what is accounted already: it may have begun earlier.
    const precisionS = onsetS === accountedS + 1 ? HELD_S : 1
    const incident = new Incident({ onsetS, detectedS: second, precisionS, before })
    if (!Number.isNaN(this.#leftCalmS)) incident.postured('strained', Math.max(onsetS, this.#leftCalmS))
    incident.postured(this.#posture.posture, second)
    this.#open = incident
    this.load.forgetRise()
    this.incidents.push(incident)
  }

  /** The first of the unusual seconds that lead up to this one. */
  #onset(second: number, accountedS: number): number {
    const { unusual } = this.load
    let onset = second
    let gap = 0
    for (let s = second - 1; s > accountedS && s > second - RING_S && gap < 3; s--) {
      const entry = this.#ring[s & (RING_S - 1)]!
      const isUnusual =
        entry.second === s && (entry.requests > unusual || entry.overloaded * 5 > entry.requests)
      if (isUnusual && entry.requests > 0) {
        onset = s
        gap = 0
      } else gap++
    }
    return onset
  }

  #closeIfOver(second: number): void {
    const incident = this.#open
    if (incident === undefined || second - incident.lastS < PAUSE_S) return
    this.#open = undefined
  }

  #trouble(second: number, figures: SecondFigures): void {
    const last = this.troubles.at(-1)
    if (last !== undefined && second - last.toS <= TROUBLE_GAP_S) {
      last.toS = second
      last.seconds++
      last.requests += figures.requests
      last.overloaded += figures.overloaded
      return
    }
    // One that was short makes room.
    if (last !== undefined && last.seconds < LEAST_TROUBLE_S) this.troubles.pop()
    if (this.troubles.length < MOST_TROUBLES)
      this.troubles.push({
        fromS: second,
        toS: second,
        seconds: 1,
        requests: figures.requests,
        overloaded: figures.overloaded,
      })
  }

  /** Accounts one request. */
  account(window: LogWindow<SiteReplay>, row: number, second: number): void {
    if (second !== this.#phaseS) {
      this.#phase = this.#incidentAt(second)
      this.#phaseS = second
      const figures = this.#ring[second & (RING_S - 1)]!
      this.#stride = figures.second === second ? Math.ceil(figures.requests / SAMPLES) : 1
    }
    const incident = this.#phase
    const client = window.client[row]!
    const target = window.target[row]!
    const status = window.status[row]!
    const method = window.method[row]!
    const referrer = window.referrer[row]!
    const atMs = window.atMs[row]!
    this.requests++
    if (atMs < this.firstAtMs) this.firstAtMs = atMs
    if (atMs > this.lastAtMs) this.lastAtMs = atMs
    const isFromElsewhere = referrer.host !== '' && referrer.host !== this.name
    const shape = incident?.shape ?? this.calm
    shape.requests++
    shape.bytes += window.bytes[row]!
    if (target.isAsset) shape.assets++
    if (referrer.text !== '') shape.withReferrer++
    if (isFromElsewhere) shape.fromElsewhere++
    if (target.hasQuery) shape.withQuery++
    if (status >= 400 && status < 500 && status !== 499) shape.refused++
    if (isOverload(status) || status === 500) shape.failed++
    const durationMs = window.durationMs[row]!
    if (durationMs >= 0) {
      shape.durationMs += durationMs
      shape.timed++
    }
    shape.methods[method]!++
    const clients = incident?.clients ?? this.calmClients
    if (clients.wants(client)) {
      let sample = clients.get(client)
      if (sample === undefined) clients.add((sample = sampledClient(window, row, this.#known.has(client))))
      note(sample, window, row, isFromElsewhere)
    }
    if (incident === undefined) this.#accountCalm(window, row, second)
    else {
      incident.statuses.set(status, (incident.statuses.get(status) ?? 0) + 1)
      if (method === 1 && !target.hasQuery && this.pages.isCandidate(target.path)) incident.forStorable++
    }
    // Every n-th, so that a second of a large flood is looked at from its beginning to its end.
    if (++this.#turn < this.#stride) return
    this.#turn = 0
    this.#accountNames(window, row, shape, isFromElsewhere)
    if (incident !== undefined) this.#accountSignatures(window, row, incident, second)
  }

  #accountNames(window: LogWindow<SiteReplay>, row: number, shape: Shape, isFromElsewhere: boolean): void {
    const by = this.#stride
    const client = window.client[row]!
    const agent = window.agent[row]!
    shape.asns.add(client.asn, by)
    shape.agents.add(agent.family, by)
    shape.routes.add(routeFor(window.target[row]!, METHODS[window.method[row]!]!), by)
    if (isFromElsewhere) shape.referrers.add(window.referrer[row]!.host, by)
    shape.addresses?.add(client, by)
    shape.prefixes?.add(client.prefix, by)
    shape.agentTexts?.add(agent.text, by)
  }

  #accountCalm(window: LogWindow<SiteReplay>, row: number, second: number): void {
    const client = window.client[row]!
    const target = window.target[row]!
    const status = window.status[row]!
    this.week.add(second)
    if (window.method[row] === 1 && !target.hasQuery)
      this.pages.add(target, status, window.bytes[row]!, client, window.cookies[row]!)
    // A pause of an incident is no calm weather.
    if (this.#open !== undefined || status === 0 || status >= 400) return
    this.#known.remember(client)
    // Finding out all traits costs more than all the rest, and a full reservoir takes hardly any more.
    const isOffered = this.traits.size < ENOUGH_VECTORS || second >= this.#offeredS + OFFER_EVERY_S
    const traits = isOffered ? this.#traitsOf(window, row) : undefined
    this.#onCalm?.(this.name, client, window.atMs[row]!, traits)
    if (traits === undefined) return
    this.#offeredS = second
    this.traits.add({ ...placeOf(client), traits }, second * 1000, KNOWN)
  }

  #accountSignatures(window: LogWindow<SiteReplay>, row: number, incident: Incident, second: number): void {
    const client = window.client[row]!
    const traits = this.#traitsOf(window, row)
    const { asn, prefix, subscriber } = client
    this.#samples.push({ asn, prefix, subscriber, lane: 'unproven', traits })
    const isKnown = this.#known.has(client)
    incident.sampled.requests++
    if (isKnown) incident.sampled.known++
    const { published } = this.#book
    if (published.signatures.length === 0) return
    if (this.#matcherOf !== published) {
      this.#matcherOf = published
      this.#matcher = new SignatureMatcher(published)
      for (const signature of published.signatures) incident.sign(signature, second)
    }
    incident.sampled.whileSigned++
    if (isKnown) incident.sampled.knownWhileSigned++
    const fitting = this.#matcher!.match(traits)
    if (fitting === undefined) return
    incident.sampled.signed++
    if (isKnown) incident.sampled.knownSigned++
    const entry = incident.signatures.get(fitting.id)
    if (entry !== undefined) entry.requests++
  }

  #traitsOf(window: LogWindow<SiteReplay>, row: number): Traits {
    return logTraitsOf({
      method: METHODS[window.method[row]!]!,
      target: window.target[row]!.text,
      host: this.name,
      agent: window.agent[row]!.text,
      referrer: window.referrer[row]!.text,
      asn: window.client[row]!.asn,
    })
  }

  /** All requests of a second are accounted. */
  endSecond(second: number): void {
    const entry = this.#ring[second & (RING_S - 1)]!
    const figures = entry.second === second ? entry : blankSecond()
    this.timeline.add(second, figures.requests)
    const incident = this.#incidentAt(second)
    if (incident === undefined) {
      if (this.#open === undefined) this.load.learn(figures)
      else this.#book.tick(second * 1000, false)
      return
    }
    incident.timeline.add(second, figures.requests)
    if (figures.requests > incident.peak) {
      incident.peak = figures.requests
      incident.peakS = second
    }
    if (incident.firstSeconds.length < 600) incident.firstSeconds.push(figures.requests)
    this.#book.take(this.#samples, second * 1000)
    this.#samples = []
    if (second - incident.waveFromS < MINED_EACH_S || second % MINED_EVERY_S === 0)
      this.#book.tick(second * 1000 + 999, true)
  }

  /** What an earlier log taught, before the first line of this one. */
  recall(learned: LearnedSite, words: { client(address: string): LogClient | undefined }): void {
    this.load.restore(learned.rates)
    const { calm } = this
    const { sums, agents } = learned.shape
    for (const name of SUMS) calm[name] += sums[name]
    for (const [family, requests] of agents) calm.agents.add(family, requests)
    for (const [address, requests] of learned.clients) {
      const client = words.client(address)
      if (client === undefined) continue
      this.#known.remember(client)
      calm.asns.add(client.asn, requests)
    }
    for (const [address, atMs, traits] of learned.vectors) {
      const client = words.client(address)
      if (client !== undefined) this.traits.add({ ...placeOf(client), traits }, atMs, KNOWN)
    }
  }

  /** The log is over. */
  end(): void {
    if (this.#open === undefined) this.load.settle()
    this.burstSeconds = Math.max(
      0,
      this.#overS - this.incidents.reduce((sum, incident) => sum + incident.seconds, 0),
    )
    const last = this.troubles.at(-1)
    if (last !== undefined && last.seconds < LEAST_TROUBLE_S) this.troubles.pop()
  }

  #incidentAt(second: number): Incident | undefined {
    const last = this.incidents.at(-1)
    if (last === undefined) return undefined
    if (second >= last.onsetS) return last.covers(second) ? last : undefined
    const before = this.incidents.at(-2)
    return before?.covers(second) ? before : undefined
  }
}

const NOTHING: SecondFigures = blankSecond()

function blankSecond(): RingSecond {
  return { second: -1, requests: 0, pages: 0, overloaded: 0, durationMs: 0, timed: 0 }
}

/** 499 is nginx's for a client that did not wait; 0 is no answer at all. */
function isOverload(status: number): boolean {
  return (
    status === 503 || status === 502 || status === 504 || status === 429 || status === 499 || status === 0
  )
}

function countOnes(mask: number): number {
  let count = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++
  return count
}

function placeOf(client: { readonly asn: number; readonly prefix: string; readonly subscriber: string }) {
  return { asn: client.asn, prefix: client.prefix, subscriber: client.subscriber }
}

function sampledClient(window: LogWindow<SiteReplay>, row: number, wasKnown: boolean): SampledClient {
  const atMs = window.atMs[row]!
  return {
    client: window.client[row]!,
    wasKnown,
    firstAtMs: atMs,
    lastAtMs: atMs,
    requests: 0,
    assets: 0,
    withReferrer: 0,
    fromElsewhere: 0,
    withQuery: 0,
    failed: 0,
    firstTarget: window.target[row]!.text,
    hasOthers: false,
    agent: window.agent[row]!.family,
  }
}

function note(
  sample: SampledClient,
  window: LogWindow<SiteReplay>,
  row: number,
  isFromElsewhere: boolean,
): void {
  const target = window.target[row]!
  const status = window.status[row]!
  const atMs = window.atMs[row]!
  sample.requests++
  if (target.isAsset) sample.assets++
  if (window.referrer[row]!.text !== '') sample.withReferrer++
  if (isFromElsewhere) sample.fromElsewhere++
  if (target.hasQuery) sample.withQuery++
  if (status >= 400 || status === 0) sample.failed++
  if (target.text !== sample.firstTarget) sample.hasOthers = true
  if (atMs > sample.lastAtMs) sample.lastAtMs = atMs
}
