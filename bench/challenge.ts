/** What does the challenge cost: to issue one, to read what comes back, to refuse junk, to meter? */
import { randomBytes } from 'node:crypto'
import { FairQueue } from '#admission'
import {
  grantClearance,
  issueChallenge,
  KeyRing,
  KnownQuota,
  Meter,
  mayHoldOurs,
  newMaster,
  PART_BITS,
  Prices,
  ProofDesk,
  readChallenge,
  readClearance,
  readCookies,
  readProof,
  takeParameter,
  type WaitingProof,
  withoutOurs,
  writeClearance,
} from '#challenge'

const ROUNDS = 7
const OPS = 50_000

const keys = new KeyRing(newMaster())
const site = 'www.example.org'
const now = 1_800_000_000
const clients = Array.from({ length: 5000 }, (_, i) => ({
  asn: 64_500 + (i % 12),
  prefix: `10.${i >> 8}.${i & 255}.0/24`,
  subscriber: `10.${i >> 8}.${i & 255}.1`,
}))
const challenge = issueChallenge(keys, site, '192.0.2.0/24', now)
const clearance = (() => {
  const proof = { challenge, seed: randomBytes(16) }
  return writeClearance(keys, site, grantClearance(keys, site, proof, { effort: 16, budgetMs: 3200 }))
})()

function query(parts: number, first = challenge): string {
  return `challenge=${first}&seed=${randomBytes(16).toString('base64url')}&nonces=${randomBytes(parts * 4).toString('base64url')}`
}

const forged = Array.from({ length: 64 }, () =>
  query(16, challenge.slice(0, -22) + randomBytes(16).toString('base64url')),
)
const wrong = [16, 256].map((parts) => Array.from({ length: 64 }, () => query(parts)))

/** From a target's query to its refusal, as an edge thread does it, at full CPU. */
function refuse(queries: readonly string[]): () => void {
  const desk = new ProofDesk<number>({
    order: new FairQueue<WaitingProof<number>>({ maxWaiting: 1024, maxPerSubscriber: 4, maxWaitMs: 2000 }),
    clockMs: () => performance.now(),
    cpuShare: 1e6,
  })
  let i = 0
  return () => {
    const proof = readProof(queries[i % queries.length]!)!
    const found = readChallenge(keys, site, proof.challenge, now)
    if (typeof found !== 'string') {
      const { seed, nonces } = proof
      desk.offer(i, { mac: found.mac, seed, nonces, bits: PART_BITS }, clients[i % clients.length]!, i)
      if (desk.next(i)?.effort !== 'wrong-part') throw new Error('junk was not refused')
    }
    i++
  }
}

const others = Array.from({ length: 8 }, (_, i) => `name${i}=${randomBytes(12).toString('base64url')}`).join(
  '; ',
)
const ours = `${others}; digue_c=${clearance}; digue_k=${clearance}`
const thousand = Array.from(
  { length: 1000 },
  (_, i) => `name${i}=${randomBytes(12).toString('base64url')}`,
).join('; ')
const ids = Array.from({ length: 100_000 }, () => randomBytes(8).toString('base64url'))

const cases: Record<string, () => () => void> = {
  issueChallenge: () => {
    let i = 0
    return () => issueChallenge(keys, site, clients[i++ % clients.length]!.prefix, now)
  },
  readChallenge: () => () => readChallenge(keys, site, challenge, now),
  readClearance: () => () => readClearance(keys, site, clearance, now),
  'readClearance, forged': () => () => readClearance(keys, site, `${clearance.slice(0, -4)}AAAA`, now),
  'mayHoldOurs, eight cookies of others': () => () => mayHoldOurs(others),
  'readCookies and withoutOurs, two of ours among eight': () => () => {
    readCookies(ours)
    withoutOurs(ours)
  },
  'mayHoldOurs, a thousand cookies': () => () => mayHoldOurs(thousand),
  'readCookies and withoutOurs, a thousand and ours last': () => {
    const field = `${thousand}; digue_c=${clearance}`
    return () => {
      readCookies(field)
      withoutOurs(field)
    }
  },
  'takeParameter, none': () => () => takeParameter('/search?q=word&page=2'),
  'junk: forged challenge': () => refuse(forged),
  'junk: 16 wrong parts over a good challenge': () => refuse(wrong[0]!),
  'junk: 256 wrong parts over a good challenge': () => refuse(wrong[1]!),
  'meter: spend and spentMs, 100,000 ids': () => {
    const meter = Meter.create()
    let i = 0
    return () => {
      const id = ids[i++ % ids.length]!
      meter.spentMs(id, now)
      meter.spend(id, 5, now + 1800, now)
    }
  },
  'prices: price and dispatched': () => {
    const prices = Prices.create()
    let i = 0
    return () => {
      const name = clients[i++ % clients.length]!.prefix
      prices.dispatched(name, prices.price(name))
    }
  },
  'known quota': () => {
    const quota = new KnownQuota()
    let i = 0
    return () => quota.mayGive(clients[i++ % clients.length]!, now)
  },
}

console.log('CPU per operation, ns: least, median and most of the rounds; per second and core, of the median')
for (const [name, make] of Object.entries(cases)) {
  const run = make()
  for (let i = 0; i < OPS; i++) run()
  const rounds = Array.from({ length: ROUNDS }, () => {
    // CPU time, the collector's included: others may be at work on this machine.
    const from = process.cpuUsage()
    for (let i = 0; i < OPS; i++) run()
    const { user, system } = process.cpuUsage(from)
    return ((user + system) * 1000) / OPS
  }).sort((a, b) => a - b)
  const median = rounds[ROUNDS >> 1]!
  const columns = [rounds[0]!, median, rounds.at(-1)!].map((ns) => ns.toFixed(0).padStart(7)).join(' ')
  console.log(`${columns} ${(1e9 / median).toFixed(0).padStart(10)}/s  ${name}`)
}
