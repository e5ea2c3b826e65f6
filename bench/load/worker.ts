/**
 * A generator process: takes one plan over IPC, carries it out, sends the result, ends. Checks the
 * plan's bounds itself, and ends when its parent does.
 */
import { AttackLoad } from './attackers.ts'
import { bounded } from './loopback-only.ts'
import { type PingPlan, ping } from './pinger.ts'
import type { Plan } from './plan.ts'
import { VisitorLoad } from './visitors.ts'

process.on('disconnect', () => process.exit(0))
process.once('message', (plan: Plan | PingPlan) => {
  if (plan.role === 'ping') {
    bounded({
      sources: plan.connections,
      seconds: plan.seconds,
      perSecond: plan.perSecond,
      connections: plan.connections,
    })
    void ping(plan).then((result) => process.send?.({ result }))
    return
  }
  const load = plan.role === 'attackers' ? attack(plan) : visit(plan)
  const timer = setInterval(() => process.send?.({ progress: load.progress() }), 500)
  void load.run().then((result) => {
    clearInterval(timer)
    process.send?.({ result })
  })
})
process.send?.({ ready: true })

function attack(plan: Extract<Plan, { role: 'attackers' }>): AttackLoad {
  bounded({
    sources: plan.sources.length,
    seconds: plan.untilS,
    perSecond: plan.perSecond,
    connections: plan.maxConnections,
  })
  const load = new AttackLoad(plan)
  process.on('message', () => load.stop())
  return load
}

function visit(plan: Extract<Plan, { role: 'visitors' }>): VisitorLoad {
  const perSecond = plan.cohorts.reduce((sum, c) => sum + c.perSecond * c.addresses.length, 0)
  const sources =
    plan.cohorts.reduce((sum, c) => sum + c.addresses.length, 0) + plan.streams.length + plan.downloads.length
  bounded({ sources, seconds: plan.seconds, perSecond, connections: 0 })
  return new VisitorLoad(plan)
}
