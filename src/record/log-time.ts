/**
 * The time of a log line, from its bytes: "02/Jan/2026:15:04:05 +0100", and HAProxy's, which has
 * milliseconds and no zone.
 *
 * By arithmetic and not by Date: a line has 3 µs in all. Days by Howard Hinnant's days_from_civil.
 */

const SPACE = 32
const DAY_MS = 86_400_000
/** Months by their letters as one number: "Jan" is 0x4a616e. */
const MONTHS = new Map(
  ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'].map(
    (name, i) => [lettersAt(Buffer.from(name), 0), i + 1] as const,
  ),
)

function lettersAt(data: Uint8Array, at: number): number {
  return (data[at]! << 16) | (data[at + 1]! << 8) | data[at + 2]!
}

function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** Two digits; NaN-free: anything else gives 100 or more, or less than 0. */
function two(data: Uint8Array, at: number): number {
  const tens = data[at]! - 48
  const ones = data[at + 1]! - 48
  return tens < 0 || tens > 9 || ones < 0 || ones > 9 ? 1000 : tens * 10 + ones
}

/** The 20 characters "02/Jan/2026:15:04:05" read as UTC, milliseconds since the epoch; NaN when they are no time. */
export function clockAt(data: Uint8Array, at: number): number {
  const month = MONTHS.get(lettersAt(data, at + 3)) ?? 0
  const day = two(data, at)
  const year = two(data, at + 7) * 100 + two(data, at + 9)
  const hour = two(data, at + 12)
  const minute = two(data, at + 15)
  const second = two(data, at + 18)
  if (
    month === 0 ||
    day < 1 ||
    day > 31 ||
    year > 9999 ||
    hour > 23 ||
    minute > 59 ||
    second > 60 ||
    data[at + 2] !== 47 ||
    data[at + 6] !== 47 ||
    data[at + 11] !== 58 ||
    data[at + 14] !== 58 ||
    data[at + 17] !== 58
  )
    return Number.NaN
  return daysFromCivil(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000
}

/** The 26 characters "02/Jan/2026:15:04:05 +0100"; NaN when they are no time. */
export function timeAt(data: Uint8Array, at: number): number {
  const sign = data[at + 21]
  if (data[at + 20] !== SPACE || (sign !== 43 && sign !== 45)) return Number.NaN
  const hours = two(data, at + 22)
  const minutes = two(data, at + 24)
  if (hours > 99 || minutes > 99) return Number.NaN
  const offsetMs = (hours * 60 + minutes) * 60_000
  return clockAt(data, at) + (sign === 43 ? -offsetMs : offsetMs)
}

/**
 * Clock times without a zone, turned into instants.
 *
 * In the hour that happens twice, when summer time ends, a clock time means two instants: the one that does not
 * lie before what the log has reached is meant. In the hour that does not happen, the clock was wrong or the
 * zone is: it is taken as if the change came later.
 */
export class LocalTimes {
  readonly zone: string
  readonly #format: Intl.DateTimeFormat
  /** Offsets by quarter of an hour of UTC; zones change at such. */
  readonly #offsets = new Map<number, number>()
  #latestMs = Number.NEGATIVE_INFINITY

  /** Throws a RangeError for a zone that does not exist. */
  constructor(zone: string = Intl.DateTimeFormat().resolvedOptions().timeZone) {
    this.zone = zone
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    })
  }

  /** `clockMs`: the clock's reading taken for UTC. */
  instant(clockMs: number): number {
    // Both offsets that may hold around here: zones never change twice in two days.
    const before = clockMs - this.offsetMs(clockMs - DAY_MS)
    const after = clockMs - this.offsetMs(clockMs + DAY_MS)
    const first = Math.min(before, after)
    const second = Math.max(before, after)
    const fits = (atMs: number) => atMs + this.offsetMs(atMs) === clockMs
    let atMs = first
    if (first !== second) {
      if (!fits(first)) atMs = second
      else if (fits(second) && first < this.#latestMs - 1_800_000) atMs = second
    }
    if (atMs > this.#latestMs) this.#latestMs = atMs
    return atMs
  }

  /** How far the zone's clocks are ahead of UTC at an instant. */
  offsetMs(atMs: number): number {
    const quarter = Math.floor(atMs / 900_000)
    const known = this.#offsets.get(quarter)
    if (known !== undefined) return known
    const parts = new Map(this.#format.formatToParts(quarter * 900_000).map((p) => [p.type, Number(p.value)]))
    const clock = Date.UTC(
      parts.get('year')!,
      parts.get('month')! - 1,
      parts.get('day')!,
      parts.get('hour')!,
      parts.get('minute')!,
    )
    const offset = clock - quarter * 900_000
    if (this.#offsets.size >= 4096) this.#offsets.clear()
    this.#offsets.set(quarter, offset)
    return offset
  }
}
