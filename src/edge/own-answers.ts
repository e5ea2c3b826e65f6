/**
 * Every answer Digue gives itself. Each is built at most once: the variants are few (a reason, a
 * form, one of a dozen waiting times), so a flood costs a write per request.
 *
 * Form follows who asks: a person who navigates gets a page, in plain words and with a way on;
 * everything else gets problem+json (RFC 9457), never a page.
 */
import { SHED_REASONS, type ShedReason } from '#admission'
import { CHALLENGE_PATH } from '#challenge'
import type { Kind } from '#recognise'
import { type Answer, buildAnswer } from './answers.ts'

const COMMON = ['cache-control', 'no-store', 'x-content-type-options', 'nosniff'] as const

/** Steps of Retry-After, seconds: few, so that the answers can be built once; uneven, so that returns spread. */
const RETRY_STEPS_S = [1, 2, 3, 5, 8, 13, 21, 34, 60] as const

function problem(
  status: number,
  reason: string,
  detail: string,
  extra: readonly string[] = [],
  members: object = {},
): Answer {
  const body = JSON.stringify({ type: 'about:blank', title: detail, status, reason, ...members })
  return buildAnswer(status, ['content-type', 'application/problem+json', ...COMMON, ...extra], body)
}

/** A page of one thought: self-contained, no script, works when nothing else does. */
function page(
  status: number,
  texts: { fr: readonly string[]; en: readonly string[] },
  retry: boolean,
  extra: readonly string[],
): Answer {
  const block = (lang: string, lines: readonly string[], again: string) =>
    `<div lang=${lang}><h1>${lines[0]}</h1>${lines
      .slice(1)
      .map((line) => `<p>${line}`)
      .join('')}${
      retry ? `<p><a href="">${again}</a> · <a href="/">${lang === 'fr' ? 'Accueil' : 'Home page'}</a>` : ''
    }</div>`
  const body = `<!doctype html><html lang=fr><meta charset=utf-8><meta name=viewport content="width=device-width"><title>${texts.fr[0]}</title><style>body{font:1.1em/1.5 system-ui,sans-serif;max-width:34em;margin:2em auto;padding:0 1em;color:#1b2733;background:#fff}h1{font-size:1.2em}a{color:#0b4f7d}</style>${block('fr', texts.fr, 'Réessayer')}<hr>${block('en', texts.en, 'Try again')}`
  return buildAnswer(status, ['content-type', 'text/html; charset=utf-8', ...COMMON, ...extra], body)
}

const REFUSED = {
  fr: [
    'Accès refusé',
    'L’administrateur du site n’accepte pas cette demande. Écrivez-lui s’il s’agit d’une erreur.',
  ],
  en: [
    'Access refused',
    'The site’s operator does not accept this request. Write to them if this is a mistake.',
  ],
} as const

const FAILED = {
  fr: ['Le site ne répond pas', 'La panne est de notre côté. Réessayez dans quelques minutes.'],
  en: ['The site does not respond', 'The fault is on our side. Please try again in a few minutes.'],
} as const

const built = new Map<string, Answer>()

function once(key: string, build: () => Answer): Answer {
  let answer = built.get(key)
  if (answer === undefined) built.set(key, (answer = build()))
  return answer
}

/** Index of the step at or above a wait drawn between `atLeastS` and twice that; of the last one when it is beyond. */
function retryStep(atLeastS: number, random: number): number {
  const wait = atLeastS * (1 + random)
  for (let i = 0; i < RETRY_STEPS_S.length; i++) if (RETRY_STEPS_S[i]! >= wait) return i
  return RETRY_STEPS_S.length - 1
}

/** By reason, then by step: the answer a flood gets is found without making a key for it. */
const shed = Object.fromEntries(SHED_REASONS.map((reason) => [reason, []])) as unknown as Readonly<
  Record<ShedReason, (Answer | undefined)[]>
>

/**
 * 503 for what load does not let through, 429 for a client that hammers, for everybody but people who
 * navigate (entrance/visitor-answers.ts). It says where a client that wants to pay finds the challenge. `random`: 0 to 1.
 */
export function shedAnswer(reason: ShedReason, retryAfterS: number, random: number): Answer {
  const step = retryStep(Math.max(1, retryAfterS), random)
  return (shed[reason][step] ??= buildShed(reason, RETRY_STEPS_S[step]!))
}

function buildShed(reason: ShedReason, seconds: number): Answer {
  const extra = ['retry-after', String(seconds), 'digue-mitigated', reason]
  if (reason === 'hammering') return problem(429, reason, 'Too many requests', extra)
  return problem(503, reason, 'Temporarily overloaded', extra, { challenge: CHALLENGE_PATH })
}

/** By a decision of the operator's, a rule, a list of networks, or a signature that he wants refused. */
export type RefuseReason = 'refused' | 'rule' | 'list' | 'signature'

/** 403 by what the operator said. */
export function refusedAnswer(kind: Kind, reason: RefuseReason = 'refused'): Answer {
  const person = kind === 'navigation' || kind === 'form'
  return once(`${reason} ${person}`, () =>
    person
      ? page(403, REFUSED, false, ['digue-mitigated', reason])
      : problem(403, reason, 'Refused by the operator', ['digue-mitigated', reason]),
  )
}

/** 502 or 504 when the origin could not answer; `reason` is one of ours. */
export function failedAnswer(status: 502 | 504, reason: string, kind: Kind): Answer {
  const person = kind === 'navigation' || kind === 'form'
  return once(`failed ${status} ${reason} ${person}`, () => {
    const extra = ['digue-error', reason]
    return person
      ? page(status, FAILED, kind === 'navigation', extra)
      : problem(status, reason, status === 504 ? 'The origin took too long' : 'The origin failed', extra)
  })
}

/** 400, 408, 413, 417, 421, 431, 501 …: what is wrong with a request, in a word that is also in the log. */
export function faultAnswer(status: number, reason: string): Answer {
  return once(`fault ${status} ${reason}`, () => problem(status, reason, FAULTS[status] ?? 'Bad request'))
}

const FAULTS: Record<number, string> = {
  400: 'Bad request',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'The request took too long',
  413: 'The request body is too large',
  421: 'No such site here',
  431: 'The request head is too large',
}

/** 308 to the same place over HTTPS. */
export function redirectAnswer(host: string, target: string): Answer {
  return buildAnswer(308, ['location', `https://${host}${target}`, 'cache-control', 'max-age=3600'])
}

/** 302 to the same place without Digue's parameter. A target begins with one slash, or it could lead to another host. */
export function tidyAnswer(target: string): Answer {
  const local = target.replace(/^\/[/\\]+/, '/')
  return buildAnswer(302, ['location', local, 'cache-control', 'no-store'])
}

export function acmeAnswer(token: Buffer): Answer {
  return buildAnswer(200, ['content-type', 'application/octet-stream', 'cache-control', 'no-store'], token)
}
