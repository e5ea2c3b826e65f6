import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signatureId, TRAITS, UNFAMILIAR } from '#recognise'
import type { TraitSample } from '../policy.ts'
import { Weather } from './floods.fixture.ts'
import { EXPIRY_MS, MAX_FORBIDDEN, MAX_PINNED, PIN_MS } from './signature-book.ts'
import { bot, type Values, word } from './visitors.fixture.ts'

/** A site whose calm weather is known, and floods on it. */
class Scene extends Weather {
  #bots = 0

  constructor(seed = 1) {
    super(seed)
    this.calm(10, 200)
  }

  flood(values: Values | ((i: number) => Values), ticks = 4, count = 200): void {
    for (let tick = 0; tick < ticks; tick++) {
      const others: TraitSample[] = Array.from({ length: count }, () => {
        const i = this.#bots++
        return bot(i, typeof values === 'function' ? values(i) : values, this.random)
      })
      this.tick({ perSecond: 40, others })
    }
  }

  quiet(ticks: number): void {
    for (let tick = 0; tick < ticks; tick++) this.tick({ perSecond: 40, strained: false })
  }

  get ids(): string[] {
    return this.book.published.signatures.map(({ id }) => id)
  }
}

const tool = (n: number): Values => ({ tls: `t13d_tool${n}`, agent: `Tool${n}` })
const paying = (one: TraitSample, prefix: string): TraitSample => ({ ...one, lane: 'paid', prefix })

test('a signature ends a minute after clients last showed it, and edges hear of an end in time', () => {
  const scene = new Scene()
  scene.flood(tool(1), 160)
  const [signature] = scene.book.published.signatures
  assert.ok(
    signature!.expiresAtMs > scene.nowMs + EXPIRY_MS / 2 - 1000,
    'renewed half a minute before its end',
  )
  scene.quiet(220)
  assert.equal(scene.ids.length, 1)
  scene.quiet(40)
  assert.equal(scene.ids.length, 0)
})

test('in calm weather a signature that clients still show goes on for ten minutes, and no longer', () => {
  const scene = new Scene()
  scene.flood(tool(1))
  const [id] = scene.ids
  let calmMs = 0
  for (; scene.ids.includes(id!) && calmMs < 3_600_000; calmMs += 250) {
    const others = Array.from({ length: 6 }, (_, i) => bot(i + (calmMs / 250) * 6, tool(1), scene.random))
    scene.tick({ perSecond: 8, others, strained: false })
  }
  assert.ok(calmMs > 600_000 && calmMs < 680_000, String(calmMs))
})

test('a flood of twenty handwritings gives sixteen signatures at most at a time, and the newest count', () => {
  const scene = new Scene()
  for (let n = 0; n < 24; n++) {
    scene.flood(tool(n), 2, 400)
    assert.ok(scene.ids.length <= 16)
    // Calm weather knows them by now, so that each needs a signature of its own.
    for (let i = 0; i < 2; i++)
      scene.baseline.add(bot(1e6 + n * 2 + i, tool(n + 1), scene.random), scene.nowMs)
  }
  scene.flood(tool(99), 8, 600)
  const figures = scene.tick({ perSecond: 40, others: [bot(2e6, tool(99), scene.random)] })
  assert.equal(figures.caught, 1)
})

test('one that touches more than one per cent of proven requests is withdrawn at once, for ten minutes', () => {
  const scene = new Scene()
  scene.flood(tool(1))
  const [id] = scene.ids
  const weigh = (requests: number, proven: number, allProven: number) =>
    scene.book.weigh([{ id: id!, requests, proven }], allProven, scene.nowMs)
  assert.equal(weigh(10, 4, 100), false, 'four requests are no proof')
  assert.equal(weigh(10_000, 4, 300), false, 'eight of ten thousand speak for the flood, not for visitors')
  scene.nowMs += 5000
  assert.equal(weigh(20, 20, 100), false, 'requests alone can be one bot that has paid')
  scene.nowMs += 500
  scene.book.take(
    Array.from({ length: 5 }, (_, i) => paying(bot(5e6 + i, tool(1), scene.random), `prefix ${i}`)),
    scene.nowMs,
  )
  assert.equal(weigh(20, 20, 100), true)
  assert.equal(scene.ids.length, 0)
  scene.flood(tool(1), 8)
  assert.ok(!scene.ids.includes(id!))
  assert.ok(scene.book.status().heldBack.some((held) => held.id === id && held.why === 'withdrawn'))
  scene.nowMs += 601_000
  scene.flood(tool(1))
  assert.ok(scene.ids.includes(id!))
})

test('a bot that has paid, and asks often, does not have the signature of its flood withdrawn', () => {
  const scene = new Scene()
  scene.flood(tool(1), 8)
  const [id] = scene.ids
  for (let tick = 0; tick < 40; tick++) {
    scene.flood(tool(1), 1)
    const solver = paying(bot(7e6, tool(1), scene.random), 'of one prefix')
    scene.book.take([solver], scene.nowMs)
    const tally = { id: id!, requests: 260, proven: 60 }
    assert.equal(scene.book.weigh([tally], 100, scene.nowMs), false)
  }
  assert.ok(scene.ids.includes(id!))
})

test('floods that imitate one rare browser each do not have all rare browsers marked', () => {
  const scene = new Scene()
  const rare = (n: number): Values => ({ tls: `t13d_rare${n}`, agent: `Rare${n}` })
  // Each is 0.5 % of calm weather.
  scene.calm(12, 200, (hour) =>
    Array.from({ length: 12 }, (_, n) => bot(6e6 + hour * 12 + n, rare(n), scene.random)),
  )
  scene.flood((i) => rare(i % 12), 12, 400)
  const { published, heldBack } = scene.book.status()
  const touched = published.reduce((sum, { baseline }) => sum + baseline, 0)
  assert.ok(published.length >= 3, String(published.length))
  assert.ok(touched > 0 && touched <= 0.03, String(touched))
  const [held] = heldBack
  assert.equal(held?.why, 'together')
  assert.match(held!.reason, /with those in force more than 3 %/)
  scene.book.pin(held!.id, scene.nowMs)
  assert.ok(scene.ids.includes(held!.id), 'the operator may say otherwise')
})

test('a forbidden handwriting that cannot be told any more does not hide all others', () => {
  const scene = new Scene()
  const order = () => `1-3-${word(scene.random)}`
  scene.flood(() => ({ order: order(), agent: 'Drawn' }), 8)
  const unfamiliar = [{ trait: 'order', value: UNFAMILIAR }] as const
  const forbidden = { id: signatureId(unfamiliar), terms: unfamiliar, note: '', atMs: scene.nowMs }
  scene.book.restore({ pinned: [], forbidden: [forbidden] }, scene.nowMs)
  // More orders than edges can be told as familiar.
  scene.calm(4, 200, (hour) =>
    Array.from({ length: 200 }, (_, i) => bot(8e6 + hour * 200 + i, { order: order() }, scene.random, 200)),
  )
  assert.equal(scene.baseline.view().familiar('order'), undefined)
  scene.flood((i) => ({ ...tool(2), order: `2-4-${i % 5}` }), 8)
  assert.ok(
    scene.book.published.signatures.some(({ terms }) => terms.some(({ value }) => /ool2$/.test(value))),
  )
})

test('a pinned one stays whatever it touches, for a day; pinned again it is renewed', () => {
  const scene = new Scene()
  scene.flood(tool(1))
  const [id] = scene.ids
  assert.throws(() => scene.book.setEffect(id!, 'refuse'), {
    code: 'DIGUE_SIGNATURE',
    message: /pin it first/,
  })
  assert.equal(scene.book.setEffect(id!, 'weight').effect, 'weight')
  scene.book.pin(id!, scene.nowMs)
  scene.book.setEffect(id!, 'refuse')
  assert.equal(scene.book.weigh([{ id: id!, requests: 50, proven: 50 }], 100, scene.nowMs), false)
  scene.nowMs += PIN_MS / 2
  scene.quiet(4)
  assert.equal(scene.book.published.signatures[0]!.effect, 'refuse')
  assert.equal(scene.book.isActing, false, 'a pin alone does not stop learning')
  assert.equal(scene.book.pin(id!, scene.nowMs).expiresAtMs, scene.nowMs + PIN_MS)
  scene.nowMs += PIN_MS - 1000
  scene.quiet(2)
  assert.equal(scene.ids.length, 1)
  scene.quiet(4)
  assert.equal(scene.ids.length, 0)
})

test('a forbidden one is never published, nor what fits the same clients, until it is released', () => {
  const scene = new Scene()
  scene.flood(tool(1))
  const [id] = scene.ids
  scene.book.forbid(id!, 'n'.repeat(600), scene.nowMs)
  assert.equal(scene.ids.length, 0)
  assert.equal(scene.book.status().forbidden[0]!.note.length, 500)
  scene.flood(tool(1))
  assert.equal(scene.ids.length, 0, 'nor other words for the same clients')
  assert.throws(() => scene.book.pin(id!, scene.nowMs), /release/)
  assert.equal(scene.book.release(id!, scene.nowMs), true)
  assert.equal(scene.book.release(id!, scene.nowMs), false)
  scene.flood(tool(1))
  assert.ok(scene.ids.includes(id!))
})

test('pins and prohibitions are bounded, and a kept state of nonsense holds none', () => {
  const scene = new Scene()
  const signature = () => scene.book.published.signatures[0]!
  scene.flood(tool(0))
  const pinned = { ...signature(), isPinned: true, expiresAtMs: scene.nowMs + PIN_MS }
  const forbidden = { id: pinned.id, terms: pinned.terms, note: '', atMs: 0 }
  const restored = (state: unknown) => {
    const other = new Scene(2)
    other.book.restore(state, scene.nowMs)
    return other.book.status()
  }
  assert.equal(restored({ pinned: [pinned], forbidden: [] }).published.length, 1)
  for (const nonsense of [
    null,
    { pinned: 7, forbidden: 'x' },
    { pinned: [{ ...pinned, id: 's0000000000' }], forbidden: [{ ...forbidden, id: 's0000000000' }] },
    {
      pinned: [{ ...pinned, terms: [] }],
      forbidden: [{ ...forbidden, terms: [{ trait: 'colour', value: '' }] }],
    },
    { pinned: [{ ...pinned, effect: 'allow' }, { ...pinned, support: 'x' }, null] },
    { pinned: [{ ...pinned, expiresAtMs: scene.nowMs - 1 }] },
  ]) {
    const { published, forbidden: none } = restored(nonsense)
    assert.deepEqual([published, none], [[], []], JSON.stringify(nonsense))
  }
  assert.ok(MAX_PINNED <= 64 && MAX_FORBIDDEN <= 10_000)
  const many = Array.from({ length: MAX_PINNED + 5 }, (_, n) => {
    const terms = [{ trait: 'agent', value: `Pinned${n}` }] as const
    return { ...pinned, terms, id: signatureId(terms) }
  })
  scene.book.restore({ pinned: many }, scene.nowMs)
  const last = scene.book.status().published.find(({ isPinned }) => !isPinned)!
  assert.throws(() => scene.book.pin(last.id, scene.nowMs), /at most 32/)
})

test('a client that shows the mark of "unfamiliar" is nobody special', () => {
  const scene = new Scene()
  scene.flood(() => Object.fromEntries(TRAITS.map(({ name }) => [name, UNFAMILIAR])), 8)
  for (const { terms } of scene.book.published.signatures)
    for (const { trait, value } of terms)
      if (value === UNFAMILIAR) assert.ok(scene.book.published.familiar[trait]!.length > 1)
  const touched = Array.from({ length: 40 }, () => scene.tick({ perSecond: 100 })).reduce(
    (sum, one) => sum + one.touched,
    0,
  )
  assert.ok(touched <= 10, String(touched))
})

test('values made up to be many, and as long as they may be, cost no more than a bound', () => {
  const scene = new Scene()
  const values = (i: number): Values =>
    Object.fromEntries(TRAITS.map(({ name }, t) => [name, `${(i * (t + 7)) % (13 + t)}`.padEnd(120, 'x')]))
  scene.flood(values, 40, 500)
  scene.flood(
    () => Object.fromEntries(TRAITS.map(({ name }) => [name, word(scene.random).padEnd(120)])),
    40,
    500,
  )
  assert.ok(scene.ids.length <= 16)
  assert.ok(scene.book.status().heldBack.length <= 8)
})

test('a clock that is set back, or far ahead, neither stops mining nor keeps a signature for ever', () => {
  const scene = new Scene()
  scene.nowMs += 1e9
  scene.flood(tool(1))
  assert.ok(scene.ids.length > 0)
  scene.nowMs -= 1e9
  scene.flood(tool(2))
  assert.ok(
    scene.book.published.signatures.some(({ terms }) => terms.some(({ value }) => value.endsWith('2'))),
  )
})
