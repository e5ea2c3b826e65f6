import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { FairQueue, type FairQueueOptions } from '#admission'
import { type Judged, ProofDesk, type ProofWork, type Waiting } from './proof-desk.ts'
import { checkParts, solve } from './puzzle.ts'

const BITS = 4
const mac = Buffer.alloc(16, 7)

function proof(parts: number, seed: Buffer = randomBytes(16)): ProofWork {
  return { mac, seed, nonces: solve({ mac, seed, until: parts, bits: BITS }), bits: BITS }
}

/** Nonces that are wrong at once, or only in one part. */
function junk(parts: number, good = 0): ProofWork {
  const work = proof(parts)
  const nonces = Buffer.from(work.nonces)
  for (let i = good; i < parts; i++) {
    do nonces.writeUInt32BE(Math.floor(Math.random() * 2 ** 32), i * 4)
    while (checkParts(mac, work.seed, nonces, BITS, i) !== 'wrong-part')
  }
  return { ...work, nonces }
}

const client = (n: number, asn = 64_500) => {
  const prefix = `10.${n >> 8}.${n & 255}.0/24`
  return { asn, prefix, subscriber: `10.${n >> 8}.${n & 255}.1` }
}

interface StageOptions extends FairQueueOptions {
  partMs?: number
  isGone?: (item: string) => boolean
  /** Every proof is good: none has to be solved. */
  allGood?: boolean
}

/** A desk whose checks take `partMs` of a clock that nothing else moves. */
function stage(options: StageOptions = {}) {
  const counted: Record<string, number> = {}
  const spent = { ms: 0, checks: 0 }
  const order = new FairQueue<Waiting<string>>({
    maxWaiting: 1024,
    maxPerSubscriber: 4,
    maxWaitMs: 2000,
    ...options,
  })
  const desk = new ProofDesk<string>({
    order,
    clockMs: () => spent.ms,
    random: () => 0,
    count: (counter) => {
      counted[counter] = (counted[counter] ?? 0) + 1
    },
    check: (m, seed, nonces, bits, first) => {
      spent.checks++
      const effort = options.allGood ? nonces.length / 4 : checkParts(m, seed, nonces, bits, first)
      spent.ms += (options.partMs ?? 0.001) * (effort === 'wrong-part' ? 1 : nonces.length / 4)
      return effort
    },
    ...(options.isGone ? { isGone: options.isGone } : {}),
  })
  const drain = (nowMs: number): Judged<string>[] => {
    const judged: Judged<string>[] = []
    for (let next = desk.next(nowMs); next !== undefined; next = desk.next(nowMs)) judged.push(next)
    return judged
  }
  return { desk, order, counted, spent, drain }
}

test('good proofs are worth their parts, wrong ones nothing', () => {
  const { desk, drain, counted } = stage()
  assert.ok(desk.offer('good', proof(16), client(1), 0))
  assert.ok(desk.offer('wrong', junk(16), client(2), 0))
  assert.ok(desk.offer('half', junk(16, 8), client(3), 0))
  assert.equal(desk.waiting, 3)
  const judged = new Map(drain(0).map(({ item, effort }) => [item, effort]))
  assert.deepEqual(Object.fromEntries(judged), { good: 16, wrong: 'wrong-part', half: 'wrong-part' })
  assert.deepEqual([counted['proofGood'], counted['proofWrong']], [1, 2])
  assert.equal(desk.waiting, 0)
  assert.equal(desk.dueMs(0), Number.POSITIVE_INFINITY)
})

/** Sixteen parts that only a stage with `allGood` believes. */
const fresh = (): ProofWork => ({ mac, seed: randomBytes(16), nonces: Buffer.alloc(64), bits: BITS })

test('checking takes a fifth of the time and no more, however much is offered', () => {
  const { desk, drain, spent } = stage({ partMs: 0.05, allGood: true })
  for (let now = 0; now < 2000; now += 10) {
    for (let i = 0; i < 20; i++) desk.offer('x', fresh(), client(i), now)
    const before = spent.ms
    drain(now)
    assert.ok(spent.ms - before <= 10 + 16 * 0.05, 'one turn')
  }
  assert.ok(spent.ms <= 0.2 * 2000 + 10 + 1, `${spent.ms} ms`)
  assert.ok(spent.ms > 390, `${spent.ms} ms`)
  assert.ok(desk.dueMs(1990) > 0 && desk.dueMs(1990) < 100)
})

test('wrong proofs that claim much and fail at once do not use up the CPU of the others', () => {
  const { desk, drain, spent } = stage({ partMs: 0.05 })
  const big = junk(256)
  let good = 0
  let offered = 0
  for (let now = 0; now < 2000; now += 10) {
    for (let i = 0; i < 30; i++) desk.offer('junk', { ...big, seed: randomBytes(16) }, client(i, 64_501), now)
    if (now % 100 === 0) {
      offered++
      desk.offer(`good ${now}`, proof(16), client(1000 + now), now)
    }
    for (const { item, effort } of drain(now)) if (item !== 'junk' && effort === 16) good++
  }
  assert.equal(good, offered)
  assert.ok(spent.ms < 411)
})

test('a network that floods waits for itself, others do not wait for it', () => {
  const { desk, drain } = stage({ partMs: 0.5, allGood: true })
  // 8 ms a proof: 25 a second are checked, 500 offered by one network and 5 by others.
  const answered: string[] = []
  let offered = 0
  for (let now = 0; now < 4000; now += 10) {
    for (let i = 0; i < 5; i++) desk.offer('flood', fresh(), client(now / 10 + i * 500, 64_501), now)
    if (now % 200 === 0) {
      offered++
      desk.offer('visitor', fresh(), client(9000 + now / 200, 64_502 + (offered % 3)), now)
    }
    for (const { item, effort } of drain(now)) if (effort !== 'busy') answered.push(item)
  }
  const visitors = answered.filter((item) => item === 'visitor').length
  assert.ok(visitors >= offered - 1, `${visitors} of ${offered} visitors`)
  assert.ok(answered.length > visitors)
})

test('a good proof sent again is not checked again, and with more parts only then', () => {
  const { desk, drain, spent } = stage()
  const seed = randomBytes(16)
  const work = proof(32, seed)
  const first = { ...work, nonces: work.nonces.subarray(0, 64) }
  for (let i = 0; i < 100; i++) {
    desk.offer('a', first, client(i), i)
    assert.deepEqual(drain(i), [{ item: 'a', effort: 16 }])
  }
  assert.equal(spent.checks, 1)
  desk.offer('b', work, client(1), 200)
  assert.deepEqual(drain(200), [{ item: 'b', effort: 32 }])
  desk.offer('c', first, client(1), 300)
  assert.deepEqual(drain(300), [{ item: 'c', effort: 32 }])
  assert.equal(spent.checks, 2)
  // A wrong one is remembered by nobody.
  const wrong = junk(16)
  for (let i = 0; i < 3; i++) desk.offer('d', wrong, client(1), 400)
  drain(400)
  assert.equal(spent.checks, 5)
})

test('what finds no room is busy, at once or when it is evicted, and everything offered is answered', () => {
  const { desk, drain, counted } = stage({ partMs: 1, maxWaiting: 16, allGood: true })
  const answers = new Map<string, number>()
  let refused = 0
  const answer = (judged: Judged<string>[]) => {
    for (const { item } of judged) answers.set(item, (answers.get(item) ?? 0) + 1)
  }
  for (let i = 0; i < 500; i++) {
    if (!desk.offer(`p${i}`, fresh(), client(i % 7), i)) {
      refused++
      answers.set(`p${i}`, 1)
    }
    assert.ok(desk.waiting <= 16)
    answer(drain(i))
  }
  for (let now = 500; now < 10_000; now += 10) answer(drain(now))
  assert.equal(answers.size, 500)
  assert.deepEqual(new Set(answers.values()), new Set([1]))
  assert.ok(refused > 0 && counted['proofTurnedAway']! > refused)
  assert.equal(desk.waiting, 0)
})

test('who waited too long is busy, and who has left is not checked', () => {
  const { desk, drain, spent } = stage({ partMs: 1, isGone: (item) => item === 'gone' })
  desk.offer('a', proof(16), client(1), 0)
  drain(0)
  // Sixteen milliseconds of ten were spent: nothing goes on for thirty.
  assert.ok(desk.offer('soon', proof(16), client(2), 1) && desk.dueMs(1) > 29)
  assert.deepEqual(drain(2), [])
  assert.deepEqual(drain(32), [{ item: 'soon', effort: 16 }])
  desk.offer('late', proof(16), client(2), 33)
  assert.deepEqual(drain(34), [])
  assert.deepEqual(drain(2033), [{ item: 'late', effort: 'busy' }])
  const before = spent.checks
  desk.offer('gone', proof(16), client(3), 5000)
  desk.offer('there', proof(16), client(4), 5000)
  assert.deepEqual(
    drain(5000).map(({ item }) => item),
    ['there'],
  )
  assert.equal(spent.checks, before + 1)
})
