/** A crowd that asks for one page at the same moment, each a browser of its own, and goes on until it is shown. */
import { Browser } from '../load/browser.ts'
import { loopback } from '../load/loopback-only.ts'
import type { Target } from '../load/plan.ts'
import { seeded } from '../load/random.ts'

export interface BurstPlan {
  readonly role: 'burst'
  readonly target: Target
  readonly path: string
  /** One browser each. */
  readonly sources: readonly string[]
  readonly startAtMs: number
  readonly deadlineMs: number
}

export interface BurstResult {
  readonly role: 'burst'
  /** From asking to the page, of those served. */
  readonly latenciesMs: readonly number[]
  readonly fates: Readonly<Record<string, number>>
}

export function burst(plan: BurstPlan): Promise<BurstResult> {
  loopback(plan.target.address)
  const latenciesMs: number[] = []
  const fates: Record<string, number> = {}
  const random = seeded(3)
  let waiting = plan.sources.length
  return new Promise((resolve) => {
    const over = (askedMs: number, fate: string) => {
      fates[fate] = (fates[fate] ?? 0) + 1
      if (fate === 'served') latenciesMs.push(performance.now() - askedMs)
      if (--waiting === 0) resolve({ role: 'burst', latenciesMs, fates })
    }
    const browsers = plan.sources.map(
      (address, index) =>
        new Browser({
          target: plan.target,
          cohort: {
            name: 'crowd',
            addresses: [address],
            perSecond: 0,
            fromS: 0,
            untilS: 0,
            protocol: 'http',
            connection: 'keep',
            assets: 0,
            searchShare: 0,
          },
          address: loopback(address),
          index,
          deadlineMs: plan.deadlineMs,
          random,
          over: (ask, fate) => over(ask.arrivedMs, fate),
          paid: () => {},
        }),
    )
    setTimeout(() => {
      for (const browser of browsers) {
        const ask = browser.ask(plan.path, performance.now())
        setTimeout(() => ask.isOver || ask.over('timeout', 0), plan.deadlineMs)
      }
    }, plan.startAtMs - Date.now())
  })
}
