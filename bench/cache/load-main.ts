/** A generator process of the cache's bench: takes one plan over IPC, checks its bounds, sends the result. */
import { bounded } from '../load/loopback-only.ts'
import type { AttackPlan } from '../load/plan.ts'
import { type BurstPlan, burst } from './burst.ts'
import { HomeFlood } from './home-flood.ts'
import { Readers, type ReadersPlan } from './readers.ts'

export type CacheLoadPlan = ReadersPlan | BurstPlan | AttackPlan

process.on('disconnect', () => process.exit(0))
process.once('message', (plan: CacheLoadPlan) => {
  void run(plan).then((result) => process.send?.({ result }))
})
process.send?.({ ready: true })

function run(plan: CacheLoadPlan): Promise<unknown> {
  const sources = plan.sources.length
  switch (plan.role) {
    case 'readers':
      bounded({ sources, seconds: plan.seconds, perSecond: plan.perSecond, connections: 0 })
      return new Readers(plan).run()
    case 'burst':
      bounded({ sources, seconds: plan.deadlineMs / 1000, perSecond: 0, connections: sources })
      return burst(plan)
    case 'attackers':
      bounded({
        sources,
        seconds: plan.untilS,
        perSecond: plan.perSecond,
        connections: plan.maxConnections,
      })
      return new HomeFlood(plan).run()
    default:
      return plan satisfies never
  }
}
