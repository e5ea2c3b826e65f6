/** How figures of a replay are written, for people. */

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * A text out of a log, for a terminal or a page: bytes that are UTF-8 as their characters, nothing in it that
 * could steer the terminal or turn the direction of writing, at most `most` characters.
 */
export function printable(text: string, most = 100): string {
  let shown = text
  if (/[\u0080-\u00ff]/.test(text) && !/[^\u0000-\u00ff]/.test(text)) {
    try {
      shown = utf8.decode(Buffer.from(text, 'latin1'))
    } catch {
      // Latin-1, or noise: as it is.
    }
  }
  const safe = shown.replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    '\ufffd',
  )
  const characters = [...safe]
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : safe
}

export function count(n: number): string {
  return Math.round(n)
    .toString()
    .replace(/\B(?=(?:\d{3})+$)/g, '\u00a0')
}

export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '< 0.1 %'
  return `${share > 0 && share < 0.1 ? (100 * share).toFixed(1) : Math.round(100 * share)} %`
}

export function rate(perSecond: number): string {
  return perSecond >= 10 || perSecond === 0 ? count(perSecond) : perSecond.toFixed(1)
}

export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  if (s < 120) return `${s} s`
  if (s < 7200) return `${Math.round(s / 60)} min`
  return s < 172_800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} d`
}

/** Instants in one time zone: "2026-01-05 17:03:04". The zone is named once, where they are. */
export class Clock {
  readonly zone: string
  readonly #format: Intl.DateTimeFormat

  constructor(zone: string) {
    this.zone = zone
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
  }

  at(atMs: number): string {
    const part = Object.fromEntries(this.#format.formatToParts(atMs).map(({ type, value }) => [type, value]))
    return `${part['year']}-${part['month']}-${part['day']} ${this.time(atMs)}`
  }

  time(atMs: number): string {
    const part = Object.fromEntries(this.#format.formatToParts(atMs).map(({ type, value }) => [type, value]))
    return `${part['hour']}:${part['minute']}:${part['second']}`
  }
}

/** What an incident looks like, for a sentence. */
export const VERDICT_WORDS = {
  attack: 'consistent with an attack',
  'flash crowd': 'consistent with a flash crowd: people who all came at once',
  unclear: 'no conclusion: neither clearly an attack nor clearly a crowd',
} as const

export const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
