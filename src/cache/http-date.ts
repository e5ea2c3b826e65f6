/** HTTP-date (RFC 9110 §5.6.7): the three forms, letter by letter but for their case; nothing else is a date. */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)'
const MONTH = `(${MONTHS.join('|')})`
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)'
const LONG_DAY = '(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)'

// Case counts in the grammar, but senders of "GMT" and "gmt" mean the same and nobody is misled.
const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} gmt$`, 'i')
const RFC850 = new RegExp(`^${LONG_DAY}, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} gmt$`, 'i')
const ASCTIME = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i')

/** The longest, "Wednesday, 09-Sep-26 00:00:00 GMT", has 33. */
const MOST_CHARACTERS = 40

/**
 * Ms since 1970; undefined when `text` is no HTTP-date. `nowMs` tells the century of two-digit years:
 * more than 50 years ahead means the past one.
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  if (text.length > MOST_CHARACTERS) return undefined
  const fixdate = IMF_FIXDATE.exec(text)
  if (fixdate !== null) return instant(fixdate[3]!, fixdate[2]!, fixdate[1]!, fixdate, 4)
  const rfc850 = RFC850.exec(text)
  if (rfc850 !== null) {
    const thisYear = new Date(nowMs).getUTCFullYear()
    let year = thisYear - (thisYear % 100) + Number(rfc850[3])
    if (year > thisYear + 50) year -= 100
    return instant(String(year), rfc850[2]!, rfc850[1]!, rfc850, 4)
  }
  const asctime = ASCTIME.exec(text)
  if (asctime !== null) return instant(asctime[6]!, asctime[1]!, asctime[2]!, asctime, 3)
  return undefined
}

/** IMF-fixdate, the form to send. */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString()
}

function instant(
  year: string,
  month: string,
  day: string,
  parts: RegExpExecArray,
  timeAt: number,
): number | undefined {
  const hour = Number(parts[timeAt])
  const minute = Number(parts[timeAt + 1])
  const second = Number(parts[timeAt + 2])
  const date = Number(day)
  // 60 is a leap second.
  if (hour > 23 || minute > 59 || second > 60 || date < 1) return undefined
  const index = MONTHS.indexOf(month.toLowerCase())
  const ms = Date.UTC(Number(year), index, date, hour, minute, second)
  // 31 February would become a day in March. Years below 100 are read as 19xx by Date.UTC: no date either.
  const midnight = new Date(Date.UTC(Number(year), index, date))
  if (midnight.getUTCDate() !== date || midnight.getUTCFullYear() !== Number(year)) return undefined
  return ms
}
