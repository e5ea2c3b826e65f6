/**
 * What those get who are not let in. A person who navigates is always led on: to the whole page, where
 * a script pays or a line is waited in, or, while whole pages are too dear to hand out to strangers, to a
 * *moment page* of a few bytes whose refresh comes back with a ticket. Everything else gets problem+json.
 *
 * A flood that does not follow the moment page costs some 400 bytes per request; whole pages have a budget.
 */
import type { ShedReason } from '#admission'
import {
  chooseLanguage,
  issueChallenge,
  languageNamed,
  maySeal,
  momentPage,
  type PageBudget,
  type PageFacts,
  type PageState,
  type Standing,
  setCookie,
  TICKET_COOKIE,
  TICKET_S,
  type Ticket,
  withParameter,
  writeTicket,
} from '#challenge'
import { fieldList, fieldValue } from '#http'
import { BoundedMap } from '#kit'
import type { ClientAddress } from '#networks'
import { type Answer, freshAnswer } from '../answers.ts'
import type { Exchange } from '../exchange.ts'
import type { SiteRuntime } from '../house.ts'
import { failedAnswer, type RefuseReason, refusedAnswer, shedAnswer } from '../own-answers.ts'
import { aggregateOf, type Entrance } from './entrance.ts'

/** An address longer than this is not repeated in a field: bytes out would follow bytes in. */
const LONGEST_ECHO = 512
/** The script is at work meanwhile; who has none comes back and stands in line. */
const PRICE_REFRESH_S = 30
/** Failed tries after which nobody is asked again. */
const MOST_TRIES = 3

/** Values of Accept-Language whose choice is remembered, and the longest of them. */
const LANGUAGES_KEPT = 256
const LONGEST_KEPT = 128

interface TicketText {
  readonly text: string
  readonly cookie: string
}

/** What those are told whose turn has come, and who were shed all the same. */
const CALLED = { pollS: 5, waitS: [5, 10], ahead: [0, 0] } as const

export class VisitorAnswers {
  readonly #entrance: Entrance
  readonly #budget: PageBudget
  readonly #ray: () => string
  readonly #random: () => number
  readonly #moments = new Map<string, Buffer>()
  readonly #languages = new BoundedMap<string, string>(LANGUAGES_KEPT)
  readonly #firstTickets = new WeakMap<
    SiteRuntime,
    { readonly nowS: number; plain: TicketText | undefined; secure: TicketText | undefined }
  >()

  constructor(
    entrance: Entrance,
    parts: { readonly budget: PageBudget; readonly ray: () => string; readonly random: () => number },
  ) {
    this.#entrance = entrance
    this.#budget = parts.budget
    this.#ray = parts.ray
    this.#random = parts.random
  }

  /** The answer to a request that is not let in now. */
  to(exchange: Exchange, reason: ShedReason, retryAfterS: number, nowMs: number): Answer {
    const { head, lane, client } = exchange
    if (lane === 'paid') this.#entrance.prices.shed(aggregateOf(client), exchange.effort)
    this.#budget.mitigated(nowMs)
    const kind = exchange.kind
    if (kind !== 'navigation' && kind !== 'form') return shedAnswer(reason, retryAfterS, this.#random())
    if (kind === 'navigation' && head.method !== 'GET') return shedAnswer(reason, retryAfterS, this.#random())
    const language = this.#language(exchange)
    const ticket = exchange.credentials?.ticket
    // Who has paid or is known is no stranger either.
    const isReturning = ticket !== undefined || exchange.credentials?.account !== undefined
    // Whoever hammers may share his address with people: they are led on, but first in few bytes. What somebody
    // wrote would be lost on the way. So it is with who shows a flood's handwriting.
    const isSuspect = reason === 'hammering' || exchange.marked || exchange.demand !== ''
    if (isSuspect && !isReturning && kind === 'navigation')
      return this.#moment(exchange, reason, language, ticket)
    if (!this.#hasRoom(exchange, client, isReturning, nowMs))
      return this.#moment(exchange, reason, language, ticket)
    return kind === 'form'
      ? this.#formPage(exchange, reason, language)
      : this.#page(exchange, reason, language, ticket)
  }

  /** 502 or 504: the origin could not answer. A person gets a page that leads to somebody who can help. */
  failed(exchange: Exchange, status: 502 | 504, reason: string, nowMs: number): Answer {
    const short = failedAnswer(status, reason, exchange.kind)
    return this.#inWords(exchange, 'failed', short, nowMs)
  }

  /** 403 by the operator's decision, or what else he wants refused. */
  refused(exchange: Exchange, reason: RefuseReason, nowMs: number): Answer {
    const short = refusedAnswer(exchange.kind, reason)
    return this.#inWords(exchange, 'refused', short, nowMs)
  }

  /** `short` as a page with the site's contact, for people, as long as there is room for pages. */
  #inWords(exchange: Exchange, state: PageState, short: Answer, nowMs: number): Answer {
    const { head, client } = exchange
    const kind = exchange.kind
    if ((kind !== 'navigation' && kind !== 'form') || !this.#hasRoom(exchange, client, true, nowMs))
      return short
    const facts = { ray: this.#reference(exchange), retryHref: kind === 'navigation' ? head.target : '/' }
    const reasons = short.fields.slice(short.fields.findIndex((name) => name.startsWith('digue-')))
    return this.#rendered(exchange, state, this.#language(exchange), facts, {
      status: short.status,
      fields: reasons,
    })
  }

  #hasRoom(exchange: Exchange, client: ClientAddress, isReturning: boolean, nowMs: number): boolean {
    const { asn, prefix, subscriber } = client
    const { weights } = exchange.site.gate
    const weight = (asn > 0 ? weights.asn(asn) : weights.prefix(prefix)) + weights.floor
    const bytes = takesGzip(exchange) ? GZIP_BYTES : PLAIN_BYTES
    // Where one person paid there may be more.
    const proven = this.#entrance.isPeoples(client) ? PROVEN_SHARE : 0
    const subscriberShare = Math.max(proven, weights.subscriber(subscriber))
    const asker = { asn, prefix, subscriber, weight, subscriberShare }
    return this.#budget.mayHavePage(asker, bytes, isReturning, nowMs)
  }

  /** `Refresh` with a ticket in the URL: whoever follows it is no longer a stranger. A form is never sent again by itself. */
  #moment(exchange: Exchange, reason: ShedReason, language: string, ticket: Ticket | undefined): Answer {
    const { target, method } = exchange.head
    const standing = exchange.credentials?.standing
    // Whoever has a place already is told when to come again, not in a second.
    const pollS = standing === undefined || standing.admitted ? 1 : standing.pollS
    const { text, cookie } =
      ticket === undefined && standing === undefined
        ? this.#firstTicket(exchange)
        : this.#ticketed(exchange, this.#renewed(ticket, standing, pollS))
    const onward = refreshTo(withParameter(target, text), pollS)
    return freshAnswer(
      reason === 'hammering' ? 429 : 503,
      [
        'content-type',
        'text/html; charset=utf-8',
        'cache-control',
        'no-store',
        'retry-after',
        String(pollS + 1),
        ...(method === 'GET' ? ['refresh', onward] : []),
        // Whose cookies work gets rid of the parameter at the next step.
        'set-cookie',
        cookie,
        'digue-mitigated',
        `wait;reason=${reason}`,
      ],
      this.#momentBody(language, method === 'GET' ? 'navigation' : 'form'),
    )
  }

  #momentBody(language: string, kind: 'navigation' | 'form'): Buffer {
    const key = `${language} ${kind}`
    let body = this.#moments.get(key)
    if (body === undefined) this.#moments.set(key, (body = Buffer.from(momentPage(language, kind))))
    return body
  }

  /** Of those who came in one second all first tickets are the same text: a flood costs one MAC a second. */
  #firstTicket(exchange: Exchange): TicketText {
    const { site, secure } = exchange
    const nowS = this.#entrance.nowS()
    let first = this.#firstTickets.get(site)
    if (first?.nowS !== nowS)
      this.#firstTickets.set(site, (first = { nowS, plain: undefined, secure: undefined }))
    return (first[secure ? 'secure' : 'plain'] ??= this.#ticketed(exchange, this.#newTicket()))
  }

  #renewed(ticket: Ticket | undefined, standing: Standing | undefined, pollS: number): Ticket {
    const fresh = this.#newTicket()
    if (standing === undefined) return ticket ?? fresh
    const { joinedS } = standing
    return { ...fresh, joinedS, dueS: fresh.issuedS + pollS, tries: ticket?.tries ?? 0 }
  }

  #ticketed(exchange: Exchange, ticket: Ticket): TicketText {
    const text = writeTicket(this.#entrance.keys, exchange.site.name, ticket)
    return { text, cookie: setCookie(TICKET_COOKIE, text, { secure: exchange.secure, maxAgeS: TICKET_S }) }
  }

  #page(exchange: Exchange, reason: ShedReason, language: string, shown: Ticket | undefined): Answer {
    const { site, credentials } = exchange
    const entrance = this.#entrance.site(site)
    const nowS = this.#entrance.nowS()
    const standing = credentials?.standing ?? this.#entrance.stand(exchange)
    // Called, and yet shed: the lane was full in this second, and the place is kept.
    const { pollS, waitS, ahead } = standing.admitted ? CALLED : standing
    const tries = shown?.tries ?? 0
    // Where only a turn counts, effort would be in vain.
    const mayPay = entrance.asksPrice && exchange.demand !== 'wait'
    const asksPrice = mayPay && !entrance.neverChallenged.has(exchange.head.target)
    const stopped = credentials?.stopped === true
    const state: PageState =
      asksPrice && tries >= MOST_TRIES ? 'help' : stopped ? 'stopped' : asksPrice ? 'price' : 'wait'
    // Asked for a price and back without having paid: one try. Who paid and was shed all the same has not failed.
    const failed = state === 'price' && credentials?.clearance === undefined ? 1 : 0
    const ticket: Ticket = {
      issuedS: nowS,
      joinedS: standing.joinedS,
      dueS: nowS + pollS,
      tries: Math.min(MOST_TRIES, tries + failed),
    }
    const { text, cookie } = this.#ticketed(exchange, ticket)
    const here = exchange.head.target
    // Cookies that came back work; until one has, the ticket stays in the URL too.
    const spoken = languageNamed(credentials?.language ?? '')
    const chosen = spoken === undefined ? '' : `l.${spoken}.`
    const next = credentials?.hasCookies === true && chosen === '' ? here : withParameter(here, chosen + text)
    const facts: PageFacts = {
      ray: this.#reference(exchange),
      waitS,
      ahead,
      pollS: state === 'price' ? PRICE_REFRESH_S : pollS,
      retryHref: next,
      stopHref: withParameter(here, `s.${chosen}${text}`),
      tries,
      ...(state === 'price' ? this.#challenge(exchange, entrance.bits) : {}),
    }
    const fields = [
      'retry-after',
      String(facts.pollS),
      ...(state === 'stopped' ? [] : ['refresh', refreshTo(next, facts.pollS!)]),
      'set-cookie',
      cookie,
    ]
    return this.#rendered(exchange, state, language, facts, {
      status: 503,
      fields: [...mitigated(facts, reason), ...fields],
    })
  }

  /** A form in progress: its content comes back sealed, or the person is told how to send it again. */
  #formPage(exchange: Exchange, reason: ShedReason, language: string): Answer {
    const { head, site, secure, carrier } = exchange
    const entrance = this.#entrance.site(site)
    const body = carrier.collected
    const host = fieldValue(head.fields, 'host') ?? head.host
    const sealable = body === undefined ? 'too-large' : maySeal(head, host, secure, body.length)
    if (sealable !== 'seal') this.#entrance.count(`form-${sealable}`)
    const state: PageState = sealable === 'seal' ? 'form' : 'resend'
    const facts: PageFacts = {
      ray: this.#reference(exchange),
      retryHref: head.target,
      ...(entrance.asksPrice ? this.#challenge(exchange, entrance.bits) : {}),
      ...(state === 'form' ? { sealed: this.#entrance.seal(site, head, body!) } : {}),
    }
    return this.#rendered(exchange, state, language, facts, {
      status: 503,
      fields: [...mitigated(facts, reason), 'retry-after', '5'],
    })
  }

  #rendered(
    exchange: Exchange,
    state: PageState,
    language: string,
    facts: PageFacts,
    more: { readonly status: number; readonly fields: readonly string[] },
  ): Answer {
    const { pages } = this.#entrance.site(exchange.site)
    const page = pages.render(state, language, facts)
    const fields = [...page.fields, 'cache-control', 'no-store', ...more.fields]
    return takesGzip(exchange)
      ? freshAnswer(more.status, [...fields, 'content-encoding', 'gzip'], page.gzip())
      : freshAnswer(more.status, fields, page.plain)
  }

  #challenge(exchange: Exchange, bits: number): Pick<PageFacts, 'challenge' | 'bits' | 'price'> {
    const { site, client } = exchange
    return {
      challenge: issueChallenge(this.#entrance.keys, site.name, client.prefix, this.#entrance.nowS()),
      bits,
      price: this.#entrance.prices.price(aggregateOf(client)),
    }
  }

  #newTicket(): Ticket {
    const nowS = this.#entrance.nowS()
    return { issuedS: nowS, joinedS: 0, dueS: nowS + 1, tries: 0 }
  }

  #language(exchange: Exchange): string {
    // A stranger may have made up the language: only ours are kept by name.
    const chosen = languageNamed(exchange.credentials?.language ?? '')
    if (chosen !== undefined) return chosen
    const asked = fieldList(exchange.head.fields, 'accept-language') ?? ''
    const otherwise = exchange.site.config.page.language
    if (asked.length > LONGEST_KEPT) return chooseLanguage(asked, otherwise)
    const key = `${asked} ${otherwise}`
    let language = this.#languages.get(key)
    if (language === undefined) this.#languages.set(key, (language = chooseLanguage(asked, otherwise)))
    return language
  }

  #reference(exchange: Exchange): string {
    if (exchange.ray === '') exchange.ray = this.#ray()
    return exchange.ray
  }
}

/** RFC 9651: an item with a parameter. */
function mitigated({ challenge }: PageFacts, reason: ShedReason): string[] {
  return ['digue-mitigated', `${challenge === undefined ? 'wait' : 'challenge'};reason=${reason}`]
}

/** Value of `Refresh`. A long target is not repeated: the same page is loaded again, with the ticket in its cookie. */
function refreshTo(href: string, afterS: number): string {
  return href.length > LONGEST_ECHO ? String(afterS) : `${afterS};url=${href}`
}

/** An address from which a token came counts as so large a part of calm weather. */
const PROVEN_SHARE = 0.05

/** What a whole page is reckoned at in the budget; most are smaller. */
const GZIP_BYTES = 9000
const PLAIN_BYTES = 20_000

function takesGzip({ head }: Exchange): boolean {
  return fieldList(head.fields, 'accept-encoding')?.includes('gzip') === true
}
