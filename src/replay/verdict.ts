/**
 * Does an incident look like an attack or like a crowd that came by itself? With what speaks for either.
 *
 * A flash crowd is people: their browsers and providers are those of every day, they load pages with all their
 * parts, they come from a link, more of them each minute (Jung, Krishnamurthy, Rabinovich 2002: flash crowds come
 * from clusters seen before, floods do not). A flood's clients share a program and a hoster more than an
 * interest, ask for pages without parts, and are all there at once. Nothing of this is proof: each reason has a
 * weight, the sum must be clear, and what cannot be told is said so. No reason says who it was.
 */
import type { Incident } from './incident.ts'
import { overlap, type Shape } from './shape.ts'

export type Verdict = 'attack' | 'flash crowd' | 'unclear'

export interface Reason {
  readonly for: 'attack' | 'flash crowd'
  /** 1 to 3. */
  readonly weight: number
  readonly text: string
}

/** The sum of weights that makes it one or the other. */
const CLEAR = 3
/** Of calm weather, before anything is compared with it. */
const LEAST_CALM = 500
const LEAST_CLIENTS = 30

const percent = (share: number) =>
  share > 0 && share < 0.1 ? `${(100 * share).toFixed(1)} %` : `${Math.round(100 * share)} %`

export function verdictOf(incident: Incident, calm: Shape): { verdict: Verdict; reasons: Reason[] } {
  const reasons: Reason[] = []
  const { shape } = incident
  const attack = (weight: number, text: string) => reasons.push({ for: 'attack', weight, text })
  const crowd = (weight: number, text: string) => reasons.push({ for: 'flash crowd', weight, text })

  const { whileSigned, signed } = incident.sampled
  if (whileSigned > 0 && signed >= 0.5 * whileSigned)
    attack(
      3,
      `${percent(signed / whileSigned)} of the requests share a handwriting that calm weather hardly shows`,
    )

  if (calm.requests >= LEAST_CALM) {
    const agents = overlap(shape.agents, calm.agents)
    if (agents < 0.3)
      attack(
        2,
        `the mix of browsers and programs is another: ${percent(agents)} of it is that of calm weather`,
      )
    else if (agents >= 0.6)
      crowd(2, `the mix of browsers and programs is that of calm weather to ${percent(agents)}`)
    // Without network data everybody is of network 0.
    if (calm.asns.size > 1) {
      const networks = overlap(shape.asns, calm.asns)
      if (networks < 0.3)
        attack(2, `the networks are others: ${percent(networks)} of the mix is that of calm weather`)
      else if (networks >= 0.6) crowd(2, `the networks are those of calm weather to ${percent(networks)}`)
    }
    const usual = calm.share('assets')
    const now = shape.share('assets')
    if (usual >= 0.2 && now < 0.25 * usual)
      attack(
        2,
        `hardly anybody loads the images and styles of a page: ${percent(now)} of the requests, usually ${percent(usual)}`,
      )
    else if (usual >= 0.2 && now >= 0.6 * usual)
      crowd(2, `pages are loaded with their images and styles as usual: ${percent(now)} of the requests`)
    const query = shape.share('withQuery')
    if (query >= 0.5 && query > 4 * calm.share('withQuery'))
      attack(1, `${percent(query)} of the requests have a query, usually ${percent(calm.share('withQuery'))}`)
    const named = shape.share('withReferrer')
    if (named < 0.05 && calm.share('withReferrer') >= 0.3)
      attack(
        1,
        `${percent(named)} of the requests name a page they come from, usually ${percent(calm.share('withReferrer'))}`,
      )
  }

  const rise = secondsToHalfPeak(incident)
  if (rise !== undefined && incident.peak >= 100) {
    if (rise <= 5) attack(1, `half of the peak was reached within ${rise + 1} s`)
    else if (rise >= 60) crowd(1, `half of the peak was reached after ${Math.round(rise / 60)} min: it grew`)
  }

  const [page] = shape.referrers.top(1)
  if (page !== undefined && page.count >= 0.2 * shape.requests)
    crowd(
      1,
      `${percent(page.count / shape.requests)} of the requests come from a link on ${page.key.slice(0, 80)}`,
    )

  const { clients } = incident.clients
  if (clients.length >= LEAST_CLIENTS) {
    const repeating = clients.filter((one) => one.requests >= 5 && !one.hasOthers).length / clients.length
    if (repeating >= 0.3)
      attack(1, `${percent(repeating)} of the clients ask for one and the same address again and again`)
    const busiest =
      clients.filter((one) => one.requests >= 300 && one.requests >= 5 * spanS(one)).length / clients.length
    if (busiest >= 0.1)
      attack(2, `${percent(busiest)} of the clients ask more than five times a second for long`)
  }

  let sum = 0
  for (const reason of reasons) sum += reason.for === 'attack' ? reason.weight : -reason.weight
  const verdict = sum >= CLEAR ? 'attack' : sum <= -CLEAR ? 'flash crowd' : 'unclear'
  reasons.sort((a, b) => b.weight - a.weight)
  return { verdict, reasons }
}

function spanS({ firstAtMs, lastAtMs }: { readonly firstAtMs: number; readonly lastAtMs: number }): number {
  return (lastAtMs - firstAtMs) / 1000 + 1
}

/** Undefined when it took longer than is remembered. */
function secondsToHalfPeak(incident: Incident): number | undefined {
  const at = incident.firstSeconds.findIndex((requests) => requests >= incident.peak / 2)
  return at === -1 ? undefined : at
}
