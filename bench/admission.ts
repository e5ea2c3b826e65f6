/** What does one decision of admission cost: a calm ask and settle, a shed, the queue's own steps? */
import {
  type Claim,
  createGate,
  FairQueue,
  Hammering,
  RouteCosts,
  SharedCapacity,
  WeightTable,
} from '#admission'

const ROUNDS = 5
const OPS = 200_000

function claims(count: number, asns: number): Claim[] {
  return Array.from({ length: count }, (_, i) => ({
    ticket: undefined,
    asn: i % asns,
    prefix: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.0/24`,
    subscriber: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
    lane: 'unproven' as const,
    route: 'GET /article/{n}',
    effort: 0,
    decided: () => {},
  }))
}

function gate(limit: number) {
  const capacity = SharedCapacity.create({ sites: 1, threads: 2 })
  capacity.configure(0, { initial: limit, max: limit })
  const weights = WeightTable.create({ slots: 1 << 16 })
  return createGate({ capacity, site: 0, thread: 0, weights, costs: new RouteCosts() })
}

const cases: Record<string, () => () => void> = {
  'calm: ask, responded, settle; 1,000 clients': () => {
    const g = gate(1000)
    const who = claims(1000, 20)
    let i = 0
    return () => {
      const claim = who[i % 1000]!
      const now = i++ / 10
      g.ask(claim, now)
      g.responded(claim, now)
      g.settle(claim, 'answered', now)
      if (i % 1000 === 0) g.report()
    }
  },
  'calm: the same, every client new': () => {
    const g = gate(1000)
    const who = claims(OPS, 700)
    let i = 0
    return () => {
      const claim = who[i % OPS]!
      const now = i++ / 10
      g.ask(claim, now)
      g.responded(claim, now)
      g.settle(claim, 'answered', now)
      if (i % 1000 === 0) g.report()
    }
  },
  'flood: shed when the line is full, 100,000 cold clients of 12 networks': () => {
    const g = gate(2)
    const who = claims(100_000, 12)
    let i = 0
    for (; i < 10_000; i++) g.ask(who[i]!, 0)
    return () => {
      const now = i / 40
      g.ask(who[i++ % 100_000]!, now)
      if (i % 400 === 0) g.tick(now)
    }
  },
  'flood: shed, 40 hot clients': () => {
    const g = gate(2)
    const who = claims(40, 40)
    let i = 0
    return () => {
      const now = i / 40
      g.ask({ ...who[i++ % 40]! }, now)
      if (i % 400 === 0) g.tick(now)
    }
  },
  'fair queue: enqueue, dequeue, charge with 1,000 waiting': () => {
    const queue = new FairQueue<number>()
    const who = claims(5000, 12)
    let i = 0
    for (; i < 1000; i++) queue.enqueue(i, who[i]!, 5, 0)
    return () => {
      queue.enqueue(i, who[i++ % 5000]!, 5, 0)
      const entry = queue.dequeue()
      if (entry) queue.charge(entry, 6)
    }
  },
  'hammering: state and refused, 100,000 clients': () => {
    const hammering = new Hammering()
    const who = claims(100_000, 12)
    let i = 0
    return () => {
      const { subscriber } = who[i % 100_000]!
      hammering.state(subscriber, i / 40)
      hammering.refused(subscriber, i++ / 40)
    }
  },
}

console.log('per operation, µs: least and most of the rounds')
for (const [name, make] of Object.entries(cases)) {
  const run = make()
  for (let i = 0; i < OPS; i++) run()
  const rounds = Array.from({ length: ROUNDS }, () => {
    const from = process.hrtime.bigint()
    for (let i = 0; i < OPS; i++) run()
    return Number(process.hrtime.bigint() - from) / 1000 / OPS
  }).sort((a, b) => a - b)
  console.log(`${rounds[0]!.toFixed(2).padStart(6)} ${rounds.at(-1)!.toFixed(2).padStart(6)}  ${name}`)
}
