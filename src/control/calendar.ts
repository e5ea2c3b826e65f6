/**
 * Dates on which a flood is to be expected: an election, a verdict, a vote. Around them Digue is *armed*: stored
 * pages are refreshed long before they run out, and overload is believed sooner.
 */
export interface DangerousDate {
  readonly name: string
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly until: number
  /** Armed so long before `from`, ms. */
  readonly lead: number
}

/** The date for which Digue is armed now: of several the one that ends last. */
export function armedFor(dates: readonly DangerousDate[], nowMs: number): DangerousDate | undefined {
  let last: DangerousDate | undefined
  for (const date of dates) {
    if (nowMs < date.from - date.lead || nowMs >= date.until) continue
    if (last === undefined || date.until > last.until) last = date
  }
  return last
}
