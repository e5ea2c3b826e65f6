/** Which constants keep the origin busy with the shortest line in it? In virtual time; takes a minute. */

import { FLAT_WEIGHTS, type Weights } from '#admission'
import { network, Simulation } from '../src/admission/simulation.fixture.ts'

const candidates = {
  'tolerance 1.5, probe 0.5': { tolerance: 1.5, probePart: 0.5 },
  'tolerance 1.3': { tolerance: 1.3 },
  'tolerance 1.2': {},
  'tolerance 1.1': { tolerance: 1.1 },
  '1.2, probe 0.3': { probePart: 0.3 },
  '1.2, no memory': { memory: 0 },
}
type Tuning = (typeof candidates)[keyof typeof candidates]

/** Calm weather knows network 1 and nobody else. */
const WEIGHTS: Weights = {
  ...FLAT_WEIGHTS,
  version: 1,
  hasBaseline: true,
  floor: 1 / 2000,
  asn: (asn) => (asn === 1 ? 1 : 0),
}

function flood(tuning: Tuning, servers: number, spread: number, serviceMs: number) {
  const capacity = (servers * 1000) / serviceMs
  const run = new Simulation({
    servers,
    spread,
    serviceMs: () => serviceMs,
    weights: WEIGHTS,
    limit: { tuning },
  })
  run.add({ name: 'visitors', perSecond: capacity / 4, client: network(1, 1000) })
  run.runUntil(10_000)
  run.resetTallies()
  run.runUntil(20_000)
  const calmP99 = run.timeMs('visitors', 0.99)
  run.learning = false
  run.add({ name: 'bots', perSecond: 6 * capacity, client: network(9, 5000), fromMs: 20_000 })
  run.runUntil(25_000)
  run.resetTallies()
  run.runUntil(55_000)
  const busy = (run.tally('visitors').originMs + run.tally('bots').originMs) / 30_000 / servers
  return {
    busy,
    p50: run.timeMs('visitors', 0.5) / serviceMs,
    p99: run.timeMs('visitors', 0.99) / calmP99,
    served: run.servedShare('visitors'),
    limit: run.capacity.state(0).limit,
  }
}

function slower(tuning: Tuning): number {
  const run = new Simulation({
    servers: 30,
    serviceMs: (_route, atMs) => (atMs < 12_000 ? 50 : 150),
    limit: { tuning },
  })
  run.add({ name: 'visitors', perSecond: 170, client: network(1, 3000) })
  run.runUntil(12_000)
  run.learning = false
  run.runUntil(32_000)
  run.resetTallies()
  run.runUntil(92_000)
  return run.servedShare('visitors')
}

console.log('limit: TTFB p50 / service time, p99 / calm p99, origin busy (servers × spread)')
const origins = [
  [1, 0, 12.5],
  [1, 1, 12.5],
  [8, 0, 12.5],
  [8, 0.5, 12.5],
  [8, 1, 12.5],
  [64, 0, 100],
  [64, 1, 100],
  [8, 0.5, 300],
] as const
console.log(`| | ${origins.map(([s, v, ms]) => `${s} × ${ms} ms, ${v}`).join(' | ')} | slower origin |`)
for (const [name, tuning] of Object.entries(candidates)) {
  const cells = origins.map(([servers, spread, ms]) => {
    const { busy, p50, p99, limit } = flood(tuning, servers, spread, ms)
    return `L ${limit}, ${p50.toFixed(1)}, ${p99.toFixed(1)}, ${(100 * busy).toFixed(0)} %`
  })
  console.log(`| ${name} | ${cells.join(' | ')} | ${(100 * slower(tuning)).toFixed(1)} % |`)
}
