/**
 * Numbers and times as a language writes them: "120–180", "20–40 секунд", "2 Minuten".
 *
 * Ranges are shown coarse. An estimate to the second would promise what nobody can keep, and the few texts
 * that are left can be kept: a range costs Intl some 10 µs and is asked for with every page.
 *
 * Arabic gets the digits 0 to 9. CLDR takes others for it by default, but the Maghreb, where many of a
 * French site's readers come from, writes these; everybody reads them; and they are those of the telephone number beside.
 */
import { BoundedMap } from '#kit'

export type Range = readonly [number, number]

const MOST_TEXTS = 1024
const MOST_S = 86_400
const MOST_AHEAD = 10_000_000

export class Amounts {
  readonly #numbers: Intl.NumberFormat
  readonly #units: readonly (readonly [seconds: number, format: Intl.NumberFormat])[]
  readonly #counts = new BoundedMap<number, string>(MOST_TEXTS)
  readonly #times = new BoundedMap<number, string>(MOST_TEXTS)

  constructor(tag: string) {
    const locale = tag === 'ar' ? 'ar-u-nu-latn' : tag
    const unit = (name: string) =>
      new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'long' })
    this.#numbers = new Intl.NumberFormat(locale)
    this.#units = [
      [1, unit('second')],
      [60, unit('minute')],
      [3600, unit('hour')],
    ]
  }

  count(range: Range): string {
    const low = coarse(bounded(range[0], MOST_AHEAD), Math.floor)
    const high = Math.max(low, coarse(bounded(range[1], MOST_AHEAD), Math.ceil))
    return kept(this.#counts, low, high, () => between(this.#numbers, low, high))
  }

  /** From 0 s on; times below a minute and a half in seconds, below an hour and a half in minutes. */
  time(range: Range): string {
    const from = bounded(range[0], MOST_S)
    const to = Math.max(from, bounded(range[1], MOST_S))
    const [seconds, format] = this.#units[to < 90 ? 0 : to < 5400 ? 1 : 2]!
    const step = seconds === 1 && to > 10 ? 5 : 1
    const high = Math.max(step, Math.ceil(to / seconds / step) * step)
    const low = Math.min(high, Math.max(step, Math.floor(from / seconds / step) * step))
    return kept(this.#times, low * seconds, high * seconds, () => between(format, low, high))
  }
}

function between(format: Intl.NumberFormat, low: number, high: number): string {
  return low === high ? format.format(low) : format.formatRange(low, high)
}

/** Two digits that count. */
function coarse(value: number, round: (value: number) => number): number {
  const unit = value < 100 ? 1 : 10 ** (Math.floor(Math.log10(value)) - 1)
  return round(value / unit) * unit
}

function bounded(value: number, most: number): number {
  return value > 0 ? Math.min(most, Math.floor(value)) : 0
}

function kept(texts: BoundedMap<number, string>, low: number, high: number, make: () => string): string {
  const key = low * 2 ** 26 + high
  let text = texts.get(key)
  if (text === undefined) {
    text = make()
    texts.set(key, text)
  }
  return text
}
