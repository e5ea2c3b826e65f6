/** The life of a request: what happens, in which order. docs/life-of-a-request.md tells it in words. */
import type { Hammering, Outcome, ShedReason, Verdict, Weights } from '#admission'
import { OWN_PATH, type PageBudget } from '#challenge'
import type { FieldLines } from '#http'
import {
  type AddressBook,
  CidrSet,
  type ClientAddress,
  ForwardingWatch,
  NetworkSet,
  resolveClient,
} from '#networks'
import { EFFECTS, type Effect, routeOf } from '#recognise'
import { ACME_PREFIX, isChallenge, readChallenge } from './acme.ts'
import type { Answer } from './answers.ts'
import type { CacheDesk, CacheHost } from './cache/cache-desk.ts'
import type { Instead } from './cache/filling.ts'
import { Decisions } from './decisions.ts'
import type { Entrance } from './entrance/entrance.ts'
import { OwnPaths } from './entrance/own-paths.ts'
import { VisitorAnswers } from './entrance/visitor-answers.ts'
import type { Desk, EndResult, Exchange } from './exchange.ts'
import type { EdgeHouse, SiteRuntime } from './house.ts'
import { Linger, LongLived } from './long-lived.ts'
import { type Lists, NO_LISTS } from './messages.ts'
import { Offenders } from './offenders.ts'
import { acmeAnswer, faultAnswer, type RefuseReason, redirectAnswer, tidyAnswer } from './own-answers.ts'
import { RuleView } from './recognition/rule-view.ts'
import { Recorder } from './recorder.ts'

/** `on`: the next step decides. `done`: answered, relayed or waiting. */
type Step = (pipeline: Pipeline, exchange: Exchange) => 'on' | 'done'

/** An exchange that lasts and is silent for so long: is its client still there? Ten probes, a second apart. */
const KEEP_ALIVE_MS = 60_000

/** Seconds a client that hammers is asked to stay away. */
const HAMMERING_RETRY_S = 30

/** Reasons that say nothing of the origin's load. */
const POLICY_REASONS: ReadonlySet<ShedReason> = new Set(['hammering', 'rule', 'list', 'signature'])

/** Seconds after which a program may try again that was asked for a price or a turn. */
const PROOF_RETRY_S = 5

/** Requests for ACME challenges that pass every limit, per thread. */
const CHALLENGES_PER_SECOND = 16

/** Times a change of protocol that waited in vain stands in line again: reconnecting apps come all at once. */
const UPGRADE_ROUNDS = 10

export interface PipelineOptions {
  readonly house: EdgeHouse
  readonly entrance: Entrance
  readonly pageBudget: PageBudget
  /** Calm-weather shares over all sites. */
  readonly weights: Weights
  readonly book: AddressBook
  readonly hammering: Pick<Hammering, 'state' | 'refused' | 'completed'>
  /** Absent: nothing is stored. */
  readonly cache?: (host: CacheHost) => CacheDesk
  readonly thread: number
  /** This thread's part of each site's long-lived budget: one in so many. */
  readonly threads: number
  readonly now?: () => number
  readonly random?: () => number
}

/** The order of a request. A step is told by its name; each is a function below. */
const STEPS: readonly Step[] = [
  findSite,
  readCredentials,
  findClient,
  tidyAddress,
  answerChallenge,
  redirectToHttps,
  findLane,
  applyDecisions,
  applyRules,
  applyLists,
  answerOwnPath,
  readSmallBody,
  openSealedForm,
  stopHammering,
  recognise,
  lookInStore,
  passWhenBypassed,
  askForProof,
  askGate,
]

export class Pipeline implements Desk, CacheHost {
  readonly house: EdgeHouse
  readonly book: AddressBook
  readonly hammering: Pick<Hammering, 'state' | 'refused' | 'completed'>
  readonly forwardingWatch = new ForwardingWatch()
  readonly recorder: Recorder
  readonly entrance: Entrance
  readonly ownPaths: OwnPaths
  readonly cache: CacheDesk | undefined
  readonly #visitorAnswers: VisitorAnswers
  readonly random: () => number
  readonly nowMs: () => number
  trusted: CidrSet = CidrSet.EMPTY
  decisions: Decisions = Decisions.NONE
  lists: Lists = NO_LISTS
  networkSet: NetworkSet = NetworkSet.EMPTY
  readonly offenders: Offenders
  /** Wall clock of the first expiry of what is in force. */
  #validUntilMs = Number.POSITIVE_INFINITY
  readonly #threads: number
  readonly #linger = new Linger()
  readonly #longLived = new Map<SiteRuntime, LongLived>()
  /** Sites with claims in line; how many is in their tally. */
  readonly #waiting = new Set<SiteRuntime>()
  #ticks = 0
  #active = 0
  #challengeSecond = 0
  #challenges = 0

  constructor(options: PipelineOptions) {
    this.house = options.house
    this.book = options.book
    this.hammering = options.hammering
    this.nowMs = options.now ?? (() => performance.now())
    this.random = options.random ?? Math.random
    this.recorder = new Recorder(options.house, options.thread)
    this.#threads = options.threads
    this.entrance = options.entrance
    this.ownPaths = new OwnPaths(options.entrance, {
      answer: (exchange, answer, reason) => this.answer(exchange, answer, { action: 'answer', reason }),
      junk: (exchange) => this.hammering.refused(exchange.subscriber, this.nowMs()),
      weights: options.weights,
    })
    this.#visitorAnswers = new VisitorAnswers(options.entrance, {
      budget: options.pageBudget,
      ray: () => this.recorder.newRay(),
      random: this.random,
    })
    this.cache = options.cache?.(this)
    this.offenders = new Offenders({
      isSpared: (peer) => this.#isSpared(peer),
      count: (counter) => this.house.count(counter),
    })
    this.configured()
    this.policyChanged()
  }

  /** A request's head is complete and its framing unambiguous. */
  receive(exchange: Exchange): void {
    this.#active++
    exchange.connection.requests++
    exchange.connection.active++
    this.#run(exchange, 0)
  }

  /** The configuration in the house has changed. */
  configured(): void {
    this.trusted = CidrSet.parse(this.house.config.trustedProxies).set
    this.cache?.configured()
  }

  /** The policy in the house has changed, or something in it has expired. */
  policyChanged(): void {
    const { policy } = this.house
    const wallMs = Date.now()
    this.decisions = new Decisions(policy.decisions, wallMs)
    this.#validUntilMs = this.decisions.validUntilMs
    for (const site of this.house.sites.values()) {
      const posture = policy.postures[site.name] ?? 'calm'
      site.gate.learning = posture === 'calm'
      const untilMs = site.recognition.setPolicy(posture, policy.signatures?.[site.name], wallMs)
      this.#validUntilMs = Math.min(this.#validUntilMs, untilMs)
    }
  }

  setLists(lists: Lists): void {
    this.lists = lists
    this.networkSet = new NetworkSet(lists.memory)
  }

  /** A direct peer that is dropped has tried again. */
  droppedAgain(peer: ClientAddress): void {
    this.offenders.tried(peer, this.nowMs())
  }

  /**
   * A handshake shows what is a flood's by itself: of the site that it names, of any where it names none. Whoever
   * chooses the TLS of a trusted proxy for his flood does not mark that proxy, with everybody behind it.
   */
  isMarked(client: ClientAddress, serverName: string, ja4: () => string): boolean {
    const named = serverName === '' ? undefined : this.house.findSite(serverName)
    const asked = named === undefined ? this.house.sites.values() : [named]
    for (const { recognition } of asked)
      if (recognition.isMarked(ja4, client.asn)) return !isBypassed(this) && !this.#isExempt(client)
    return false
  }

  /** Exchanges that have not ended. */
  get active(): number {
    return this.#active
  }

  /** Another thread has freed a permit that may be for a claim here. */
  woken(): void {
    const now = this.nowMs()
    for (const site of this.#waiting) site.gate.woken(now)
  }

  /** Every 10 ms: expires waiters, ends permits that lasted long enough. No request has a timer of its own. */
  tick(): void {
    const now = this.nowMs()
    for (const site of this.#waiting) site.gate.tick(now)
    this.ownPaths.tick(now)
    this.cache?.tick()
    for (let due = this.#linger.takeDue(now); due !== undefined; due = this.#linger.takeDue(now))
      this.longLived(due)
    if (++this.#ticks % 25 !== 0) return
    for (const site of this.house.sites.values()) if (!this.#waiting.has(site)) site.gate.tick(now)
    if (Date.now() >= this.#validUntilMs) this.policyChanged()
  }

  /** The exchange is known to last (a 101, or 2 s after the first byte): its permit goes to the next. */
  longLived(exchange: Exchange): void {
    if (exchange.permit !== 'held') return
    const { site } = exchange
    const now = this.nowMs()
    this.#linger.remove(exchange)
    // A peer that vanished without a word would hold its place for ever: nothing is sent, nothing missed.
    exchange.connection.socket.setKeepAlive(true, KEEP_ALIVE_MS)
    exchange.permit = 'long-lived'
    exchange.originMs = now - exchange.admittedAtMs
    this.entrance.spent(exchange, exchange.originMs)
    site.gate.detach(exchange, now)
    let budget = this.#longLived.get(site)
    if (budget === undefined) this.#longLived.set(site, (budget = new LongLived()))
    const room = Math.max(1, Math.floor(site.config.maxLongLived / this.#threads))
    const loser = budget.enter(exchange, room)
    site.tally.longLived = budget.size
    if (loser === undefined) return
    this.house.count('long-lived-full')
    loser.carrier.drop(loser)
  }

  // What exchanges tell (Desk).

  count(counter: string): void {
    this.house.count(counter)
  }

  decided(exchange: Exchange, verdict: Verdict): void {
    this.#stopWaiting(exchange)
    exchange.permit = 'none'
    if (exchange.ended) return
    if (verdict.action === 'admit') this.admitted(exchange)
    else if (verdict.action === 'shed') {
      if (this.#mayAskAgain(exchange, verdict.reason)) askGate(this, exchange)
      else this.shed(exchange, verdict.reason, verdict.retryAfterS)
    }
  }

  failedAnswer(exchange: Exchange, status: 502 | 504, reason: string): Answer {
    return this.#visitorAnswers.failed(exchange, status, reason, this.nowMs())
  }

  ownFields(exchange: Exchange, status: number, answered: () => FieldLines): FieldLines {
    return this.entrance.ownFields(exchange, status, answered)
  }

  bodyRead(exchange: Exchange): void {
    this.#run(exchange, STEPS.indexOf(readSmallBody) + 1)
  }

  firstByte(exchange: Exchange): void {
    if (exchange.permit !== 'held') return
    exchange.site.gate.responded(exchange, exchange.firstByteAtMs)
    this.#linger.add(exchange)
  }

  fault(exchange: Exchange, status: number, reason: string): void {
    this.house.count(reason)
    this.answer(exchange, faultAnswer(status, reason), { action: 'refuse', reason, close: true })
  }

  release(exchange: Exchange, outcome: Outcome): void {
    const { site, permit } = exchange
    if (permit === 'held') {
      const now = this.nowMs()
      exchange.permit = 'returned'
      exchange.originMs = now - exchange.admittedAtMs
      this.entrance.spent(exchange, exchange.originMs)
      if (exchange.firstByteAtMs !== 0) this.#linger.remove(exchange)
      site.gate.settle(exchange, outcome, now)
      if (outcome === 'answered') this.hammering.completed(exchange.subscriber, now)
    } else if (permit === 'waiting') {
      this.leaveLine(exchange)
    } else if (permit === 'long-lived') {
      exchange.permit = 'returned'
      const budget = this.#longLived.get(site)
      budget?.leave(exchange)
      site.tally.longLived = budget?.size ?? 0
      if (budget?.size === 0) this.#longLived.delete(site)
    }
  }

  ended(exchange: Exchange, result: EndResult): void {
    this.#active--
    const now = this.nowMs()
    const { connection, site } = exchange
    if (--connection.active === 0) connection.idleSinceMs = now
    const reason = result.reason === '' ? exchange.observed : result.reason
    // An unknown host has no site.
    if (site !== undefined) {
      site.tally.ended(exchange.lane, result.action, reason, exchange.originMs)
      const isServed = result.action === 'relay' || result.action === 'store'
      if (isServed) site.tally.served(now - exchange.startedAtMs)
    }
    this.recorder.offer(exchange, result, reason, now)
  }

  // What the cache asks for (CacheHost).

  serveStored(exchange: Exchange, instead: Instead): void {
    exchange.relaying = true
    // His turn has come all the same, and what belongs to the page may not be stored.
    if (exchange.lane === 'waiting') this.entrance.admitted(exchange, this.nowMs())
    exchange.carrier.serve!(exchange, instead)
  }

  decideAgain(exchange: Exchange): void {
    this.#run(exchange, STEPS.indexOf(lookInStore))
  }

  leaveLine(exchange: Exchange): void {
    exchange.permit = 'none'
    this.#stopWaiting(exchange)
    exchange.site.gate.withdraw(exchange, this.nowMs())
  }

  returnPermit(exchange: Exchange): void {
    exchange.permit = 'none'
    // Not "abandoned": the origin works on nothing, so nobody owes anything and the place is free at once.
    exchange.site.gate.detach(exchange, this.nowMs())
  }

  // What steps do.

  admitted(exchange: Exchange): void {
    const now = this.nowMs()
    exchange.permit = 'held'
    exchange.admittedAtMs = now
    if (this.cache?.admitted(exchange) === false) return
    this.entrance.admitted(exchange, now)
    this.relay(exchange)
  }

  /** Past every limit, and still counted, charged and measured. */
  pass(exchange: Exchange): void {
    const now = this.nowMs()
    exchange.site.gate.pass(exchange, now)
    exchange.permit = 'held'
    exchange.admittedAtMs = now
    if (this.cache?.admitted(exchange) === false) return
    this.relay(exchange)
  }

  relay(exchange: Exchange): void {
    exchange.connection.proven = true
    exchange.relaying = true
    exchange.carrier.relay(exchange)
  }

  queued(exchange: Exchange): void {
    exchange.permit = 'waiting'
    if (exchange.site.tally.waiting++ === 0) this.#waiting.add(exchange.site)
    this.cache?.queued(exchange)
  }

  shed(exchange: Exchange, reason: ShedReason, retryAfterS: number): void {
    const now = this.nowMs()
    const instead = reason === 'hammering' ? undefined : exchange.fill?.standIn('shed')
    if (instead !== undefined) {
      this.serveStored(exchange, instead)
      return
    }
    if (reason === 'queue-timeout' || reason === 'over-share') this.entrance.waitedInVain(exchange, now)
    this.hammering.refused(exchange.subscriber, now)
    const answer = this.#visitorAnswers.to(exchange, reason, retryAfterS, now)
    // What somebody wants of it, and not load, must not look like overload.
    this.answer(exchange, answer, { action: POLICY_REASONS.has(reason) ? 'refuse' : 'shed', reason })
  }

  /** By the operator's decision, or what else he wants refused. */
  refuse(exchange: Exchange, reason: RefuseReason): void {
    const now = this.nowMs()
    // Whoever is not even let in any more need not be told again on a connection that is still open.
    if (this.hammering.state(exchange.subscriber, now) === 'drop' && stopHammering(this, exchange) === 'done')
      return
    this.hammering.refused(exchange.subscriber, now)
    const answer = this.#visitorAnswers.refused(exchange, reason, now)
    this.answer(exchange, answer, { action: 'refuse', reason })
  }

  /** What a rule, a list or a signature wants of the request. */
  take(exchange: Exchange, effect: Effect, by: 'rule' | 'list' | 'signature'): 'on' | 'done' {
    switch (effect) {
      case 'allow':
        exchange.lane = 'operator'
        return 'on'
      case 'weight':
        exchange.marked = true
        return 'on'
      case 'price':
      case 'wait':
        exchange.marked = true
        // Feeds, monitors and whoever needs the emergency page can neither pay nor wait.
        if (this.entrance.site(exchange.site).neverChallenged.has(exchange.head.target)) return 'on'
        if (exchange.demand === 'wait') return 'on'
        exchange.demand = effect
        exchange.demandedBy = by
        return 'on'
      case 'refuse':
        if (this.observes(exchange, by)) return 'on'
        this.refuse(exchange, by)
        return 'done'
      default:
        return effect satisfies never
    }
  }

  /** Answers and ends. */
  answer(
    exchange: Exchange,
    answer: Answer,
    why: { action: 'answer' | 'shed' | 'refuse'; reason: string; close?: boolean },
  ): void {
    exchange.carrier.answer(exchange, answer, why.close ?? false)
    const bytes = exchange.head.method === 'HEAD' ? 0 : answer.body.length
    exchange.end({
      action: why.action,
      reason: why.reason,
      status: answer.status,
      bytes,
      outcome: 'abandoned',
    })
  }

  /** A certificate authority asks a handful of times, from several places at once. */
  mayPassChallenge(): boolean {
    const second = Math.floor(this.nowMs() / 1000)
    if (second !== this.#challengeSecond) {
      this.#challengeSecond = second
      this.#challenges = 0
    }
    if (++this.#challenges <= CHALLENGES_PER_SECOND) return true
    this.house.count('challenge-limited')
    return false
  }

  /** Observe mode: what would have been done is recorded, and the request goes on. */
  observes(exchange: Exchange, reason: string): boolean {
    if (exchange.site.config.mode !== 'observe') return false
    if (exchange.observed === '') exchange.observed = `observed-${reason}`
    return true
  }

  /** Whoever passes others' requests on, or whom the operator wants to hear. */
  #isExempt(peer: ClientAddress): boolean {
    if (this.trusted.hasText(peer.text) || this.forwardingWatch.isSuspect(peer)) return true
    if (this.decisions.allows(peer)) return true
    const listed = this.networkSet.find(peer.text)
    return listed !== undefined && EFFECTS[listed.effect] === 'allow'
  }

  /** These, and whose address may be many people's. */
  #isSpared(peer: ClientAddress): boolean {
    if (this.#isExempt(peer) || this.entrance.isPeoples(peer)) return true
    for (const site of this.house.sites.values()) if (this.entrance.isPeoples(peer, site)) return true
    return false
  }

  #run(exchange: Exchange, from: number): void {
    for (let i = from; i < STEPS.length; i++) if (STEPS[i]!(this, exchange) === 'done') return
  }

  /** Shed in one way, another is left: the payers' lane, or the line once more for a change of protocol. */
  #mayAskAgain(exchange: Exchange, reason: ShedReason): boolean {
    if (this.entrance.payInstead(exchange)) return true
    if (reason !== 'queue-timeout' || exchange.rounds >= UPGRADE_ROUNDS) return false
    if (exchange.kind !== 'upgrade') return false
    exchange.rounds++
    return true
  }

  #stopWaiting(exchange: Exchange): void {
    const { site } = exchange
    this.cache?.unqueued(exchange)
    if (--site.tally.waiting === 0) this.#waiting.delete(site)
  }
}

function findSite(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const site = pipeline.house.findSite(exchange.head.host)
  if (site !== undefined) {
    exchange.site = site
    return 'on'
  }
  pipeline.house.count('unknown-host')
  pipeline.answer(exchange, faultAnswer(421, 'unknown-host'), {
    action: 'refuse',
    reason: 'unknown-host',
    close: true,
  })
  return 'done'
}

/** What is Digue's own in the request is read and taken out: nothing after this, and no log, sees a token. */
function readCredentials(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  pipeline.entrance.read(exchange)
  return 'on'
}

function findClient(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { connection, head } = exchange
  const fields = head.forwardingFields ?? head.fields
  const resolved = resolveClient(connection.peer, fields, pipeline.trusted, pipeline.book)
  exchange.client = resolved.client
  exchange.secure = resolved.secure ?? connection.secure
  exchange.peerTrusted = pipeline.trusted.hasText(connection.peer.text)
  if (resolved.forwarding === 'ignored') pipeline.forwardingWatch.note(connection.peer)
  else if (resolved.forwarding !== 'direct' && resolved.forwarding !== 'believed') {
    pipeline.house.count(`forwarding-${resolved.forwarding}`)
  }
  exchange.route = routeOf(head.method, head.target)
  return 'on'
}

/** Cookies have proved to work: the ticket need not stand in the visitor's address bar any longer. */
function tidyAddress(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { credentials, head } = exchange
  if (credentials === undefined || !credentials.inTarget || !credentials.hasCookies) return 'on'
  if (credentials.language !== '' || credentials.stopped) return 'on'
  if (head.method !== 'GET' || exchange.kind !== 'navigation') return 'on'
  pipeline.answer(exchange, tidyAnswer(head.target), { action: 'answer', reason: 'tidy-address' })
  return 'done'
}

function answerChallenge(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { method, target } = exchange.head
  if (!target.startsWith(ACME_PREFIX)) return 'on'
  const where = exchange.site.config.acmeChallenge
  if (where === 'origin') {
    // A certificate that cannot be renewed would take the site away by itself. But what passes every
    // limit would be the flood's way in: beyond a few a second it is a request like any other.
    if (!isChallenge(method, target) || !pipeline.mayPassChallenge()) return 'on'
    exchange.lane = 'operator'
    pipeline.pass(exchange)
    return 'done'
  }
  exchange.lane = 'operator'
  void readChallenge(where, target).then((token) => {
    if (exchange.ended) return
    const answer = token === undefined ? faultAnswer(404, 'no-such-challenge') : acmeAnswer(token)
    pipeline.answer(exchange, answer, { action: 'answer', reason: 'acme' })
  })
  return 'done'
}

function redirectToHttps(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  if (exchange.secure || !exchange.site.config.redirectToHttps) return 'on'
  const answer = redirectAnswer(exchange.head.host, exchange.head.target)
  pipeline.answer(exchange, answer, { action: 'answer', reason: 'https' })
  return 'done'
}

function findLane(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  pipeline.entrance.place(exchange)
  return 'on'
}

function applyDecisions(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { head } = exchange
  const effect = pipeline.decisions.effectOn(exchange.client, head.host, head.target)
  if (effect === 'allow') exchange.lane = 'operator'
  if (effect !== 'refuse' || pipeline.house.policy.bypass || pipeline.observes(exchange, 'refused'))
    return 'on'
  pipeline.refuse(exchange, 'refused')
  return 'done'
}

/** The operator's own; nobody is asked under a decision that allows. */
function applyRules(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { rules } = exchange.site.recognition
  if (rules.rules.length === 0 || exchange.lane === 'operator' || pipeline.house.policy.bypass) return 'on'
  const decided = rules.decide(new RuleView(exchange))
  if (decided === undefined) return 'on'
  exchange.rule = decided.name
  return pipeline.take(exchange, decided.effect, 'rule')
}

/** What the operator says himself about a request is more than what a list says of its network. */
function applyLists(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { networkSet } = pipeline
  if (networkSet.isEmpty || exchange.rule !== '' || exchange.isVouched) return 'on'
  if (exchange.lane === 'operator' || pipeline.house.policy.bypass) return 'on'
  const listed = networkSet.find(exchange.client.text)
  if (listed === undefined) return 'on'
  exchange.list = pipeline.lists.names[listed.list] ?? ''
  return pipeline.take(exchange, EFFECTS[listed.effect]!, 'list')
}

function answerOwnPath(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  if (!exchange.head.target.startsWith(OWN_PATH)) return 'on'
  return pipeline.ownPaths.take(exchange, pipeline.nowMs()) ? 'done' : 'on'
}

/** A form that was sealed into a page comes back: from here on it is the request it was. */
function openSealedForm(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  if (!exchange.head.target.startsWith(OWN_PATH)) return 'on'
  const fault = pipeline.ownPaths.openForm(exchange)
  if (fault === '') return 'on'
  pipeline.house.count(fault)
  pipeline.answer(exchange, faultAnswer(fault === 'form-sent-already' ? 409 : 400, fault), {
    action: 'refuse',
    reason: fault,
  })
  return 'done'
}

/** Handwriting: a sample for the brain, and what its signatures say. Observe mode records them and weighs by them. */
function recognise(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  if (exchange.lane === 'operator' || pipeline.house.policy.bypass) return 'on'
  const { recognition } = exchange.site
  recognition.sample(exchange)
  if (exchange.isVouched) return 'on'
  const signature = recognition.match(exchange)
  if (signature === undefined) return 'on'
  exchange.signature = signature.id
  // What the operator says himself about a request is more than what its handwriting says.
  if (exchange.rule !== '' || isBypassed(pipeline)) return 'on'
  // Who was here in calm weather is no stranger, however he writes.
  if (signature.effect === 'refuse' && exchange.lane === 'known') return 'on'
  return pipeline.take(exchange, signature.effect, 'signature')
}

/** What is fresh costs the origin nothing; and what is under way already is waited for. */
function lookInStore(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  if (pipeline.house.policy.bypass) {
    // Of before, if it waited for somebody else's answer meanwhile.
    exchange.fill = undefined
    return 'on'
  }
  return pipeline.cache?.take(exchange) === true ? 'done' : 'on'
}

function passWhenBypassed(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { policy } = pipeline.house
  if (!isBypassed(pipeline)) return 'on'
  if (exchange.observed === '') exchange.observed = policy.bypass ? 'bypass' : ''
  pipeline.pass(exchange)
  return 'done'
}

/** Everything passes: Digue is suspected, or told that there is no attack. */
function isBypassed({ house: { policy } }: Pipeline): boolean {
  return policy.bypass || policy.attack === 'off'
}

/** A price, or a turn in the waiting room, that a rule, a list or a signature wants before the origin is asked. */
function askForProof(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { demand, demandedBy, lane } = exchange
  if (demand === '' || exchange.isVouched) return 'on'
  if (lane === 'paid' ? demand === 'price' || pipeline.entrance.waitInstead(exchange) : lane !== 'unproven')
    return 'on'
  if (pipeline.observes(exchange, demandedBy)) return 'on'
  pipeline.shed(exchange, demandedBy, PROOF_RETRY_S)
  return 'done'
}

function stopHammering(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  // A token pays for itself, and one address may speak for many people.
  if (exchange.lane !== 'unproven' || isBypassed(pipeline)) return 'on'
  const state = pipeline.hammering.state(exchange.subscriber, pipeline.nowMs())
  if (state === 'ok') return 'on'
  // A proxy that nobody listed speaks for many: it is named to the operator, not silenced.
  if (pipeline.forwardingWatch.isSuspect(exchange.connection.peer)) return 'on'
  if (pipeline.observes(exchange, 'hammering')) return 'on'
  // A trusted proxy's connection carries others too, and so does an address that people share.
  const { client, site } = exchange
  if (state === 'hammering' || exchange.peerTrusted || pipeline.entrance.isPeoples(client, site)) {
    pipeline.shed(exchange, 'hammering', HAMMERING_RETRY_S)
    return 'done'
  }
  const { connection } = exchange
  if (client.text === connection.peer.text && !connection.viaProxy) pipeline.droppedAgain(client)
  exchange.carrier.drop(exchange)
  exchange.end({ action: 'drop', reason: 'hammering', status: 0, bytes: 0, outcome: 'abandoned' })
  return 'done'
}

function readSmallBody(_pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  return exchange.carrier.collect?.(exchange) === true ? 'done' : 'on'
}

function askGate(pipeline: Pipeline, exchange: Exchange): 'on' | 'done' {
  const { gate } = exchange.site
  const now = pipeline.nowMs()
  // Observe mode changes nothing, so nobody is turned away in it.
  const mayWait = exchange.site.config.mode === 'observe' || pipeline.entrance.mayWait(exchange, now)
  let verdict = gate.ask(exchange, now, mayWait)
  if (verdict.action === 'shed' && pipeline.entrance.payInstead(exchange))
    verdict = gate.ask(exchange, pipeline.nowMs())
  switch (verdict.action) {
    case 'admit':
      pipeline.admitted(exchange)
      break
    case 'queue':
      if (pipeline.observes(exchange, 'queue')) {
        gate.withdraw(exchange, pipeline.nowMs())
        pipeline.pass(exchange)
      } else pipeline.queued(exchange)
      break
    case 'shed':
      if (pipeline.observes(exchange, verdict.reason)) pipeline.pass(exchange)
      else pipeline.shed(exchange, verdict.reason, verdict.retryAfterS)
      break
    default:
      verdict satisfies never
  }
  return 'done'
}
