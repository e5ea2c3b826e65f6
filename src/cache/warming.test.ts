import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Warming, type WarmingState } from './warming.ts'

const START = 1_800_000_000_000
const CALM: WarmingState = { isArmed: false, spareRatio: 1 }
const ARMED: WarmingState = { isArmed: true, spareRatio: 1 }

/** A store and its origin, a second at a time. */
class Stage {
  readonly warming: Warming
  readonly lifetimeMs: number
  nowMs = START
  /** By key: when it runs out. */
  readonly freshUntil = new Map<string, number>()
  readonly asked: { readonly key: string; readonly atMs: number }[] = []
  isOriginUp = true

  constructor(lifetimeMs: number, mostPerSecond = 10) {
    this.warming = new Warming({ mostPerSecond })
    this.lifetimeMs = lifetimeMs
  }

  store(...keys: readonly string[]): this {
    for (const key of keys) this.freshUntil.set(key, this.nowMs + this.lifetimeMs)
    return this
  }

  request(key: string, times = 2): this {
    this.warming.used(key, this.nowMs, times)
    return this
  }

  due(state: WarmingState = CALM): readonly string[] {
    return this.warming.due(
      this.nowMs,
      (key) => {
        const until = this.freshUntil.get(key)
        return until === undefined ? undefined : { leftMs: until - this.nowMs, lifetimeMs: this.lifetimeMs }
      },
      state,
    )
  }

  run(seconds: number, state: WarmingState = CALM): this {
    for (let second = 0; second < seconds; second++) {
      this.nowMs += 1000
      for (const key of this.due(state)) {
        this.asked.push({ key, atMs: this.nowMs - START })
        if (this.isOriginUp) this.store(key)
      }
    }
    return this
  }
}

test('a page is due when a fifth of its lifetime is left, armed when half is', () => {
  assert.deepEqual(
    new Stage(100_000)
      .store('/')
      .request('/')
      .run(200)
      .asked.map(({ atMs }) => atMs),
    [81_000, 162_000],
  )
  assert.deepEqual(
    new Stage(100_000)
      .store('/')
      .request('/')
      .run(200, ARMED)
      .asked.map(({ atMs }) => atMs),
    [51_000, 102_000, 153_000],
  )
})

test('a short life is refreshed when 5 s are left, or half of it', () => {
  const stage = new Stage(10_000).store('/').request('/').run(30)
  assert.deepEqual(
    stage.asked.map(({ atMs }) => atMs),
    [6000, 12_000, 18_000, 24_000, 30_000],
  )
  assert.equal(new Stage(4000).store('/').request('/').run(20).asked.length, 6)
  assert.equal(new Stage(500).store('/').request('/').run(20).asked.length, 20)
  assert.equal(new Stage(0).store('/').request('/').run(20).asked.length, 0, 'it is never fresh')
})

test('a popular page does not run out in an hour, unless the origin has nothing to spare', () => {
  const stage = new Stage(60_000).store('/').request('/')
  let stale = 0
  for (let second = 0; second < 3600; second++) {
    stage.request('/', 1).run(1)
    if (stage.freshUntil.get('/')! < stage.nowMs) stale++
  }
  assert.equal(stale, 0)
  const busy = new Stage(60_000).store('/').request('/')
  assert.deepEqual(busy.run(300, { isArmed: false, spareRatio: 0 }).asked, [])
})

test('what is not stored and what was asked for once is left alone', () => {
  const stage = new Stage(1000).store('/once').request('/once', 1).request('/gone', 9)
  assert.deepEqual(stage.run(10).asked, [])
})

test('the most requested go first, as many as the idle share of the origin bears', () => {
  const stage = new Stage(1000, 10)
  for (let page = 0; page < 100; page++) stage.store(`/${page}`).request(`/${page}`, 200 - page)
  const counts = [1, 0.5, 0.1, 0.01].map((spareRatio) => {
    stage.nowMs += 1000
    return stage.due({ isArmed: false, spareRatio }).length
  })
  // A fraction that is left over is good for the next second.
  assert.deepEqual(counts, [11, 6, 2, 1])
  stage.nowMs += 100_000
  assert.deepEqual(stage.due({ isArmed: false, spareRatio: 0.3 }), ['/0', '/1', '/2', '/3'])
  stage.nowMs += 100_000
  assert.deepEqual(stage.due({ isArmed: true, spareRatio: 0 }), ['/0'])
  stage.nowMs += 100_000
  assert.deepEqual(stage.due({ isArmed: false, spareRatio: 0 }), [])
})

test('refreshes that come to nothing back off, and one that succeeds ends that', () => {
  const stage = new Stage(100_000).store('/').request('/')
  stage.isOriginUp = false
  stage.run(600)
  const waits = stage.asked.map(({ atMs }, i) => atMs - (stage.asked[i - 1]?.atMs ?? 0))
  assert.deepEqual(waits, [81_000, 10_000, 20_000, 40_000, 80_000, 160_000])
  stage.isOriginUp = true
  const before = stage.asked.length
  stage.run(1000)
  assert.ok(stage.asked.length - before >= 8)
})

test('a page that others refreshed meanwhile counts as no failure', () => {
  const stage = new Stage(100_000).store('/').request('/')
  stage.isOriginUp = false
  stage.run(85)
  stage.store('/')
  stage.run(100)
  assert.deepEqual(
    stage.asked.map(({ atMs }) => atMs),
    [81_000, 166_000, 176_000],
  )
})

test('a page that fails does not take the turn of others', () => {
  const stage = new Stage(10_000, 0).store('/', '/b').request('/', 100).request('/b', 5)
  const serve = stage.due.bind(stage)
  const asked: string[] = []
  for (let second = 0; second < 60; second++) {
    stage.nowMs += 1000
    for (const key of serve({ isArmed: true, spareRatio: 0 })) {
      asked.push(key)
      if (key === '/b') stage.store(key)
    }
  }
  assert.ok(asked.filter((key) => key === '/b').length >= 8, asked.join(' '))
})

test('popularity fades: what was asked for a week ago is not refreshed for ever', () => {
  const stage = new Stage(60_000).store('/old', '/new').request('/old', 100)
  for (let minute = 0; minute < 200; minute++) stage.request('/new', 5).run(60)
  const late = stage.asked.filter(({ atMs }) => atMs > 150 * 60_000)
  assert.deepEqual([...new Set(late.map(({ key }) => key))], ['/new'])
})

test('a clock that is set back holds nothing up', () => {
  const stage = new Stage(10_000).store('/').request('/').run(60)
  stage.nowMs -= 3_600_000
  stage.store('/')
  const before = stage.asked.length
  stage.run(20)
  assert.ok(stage.asked.length > before)
})

test('whatever is asked for, never more per second than allowed, and each page once per call', () => {
  const step = fc.record({
    key: fc.nat(600).map(String),
    times: fc.integer({ min: 1, max: 50 }),
    waitMs: fc.nat(3000),
    spareRatio: fc.double({ min: -1, max: 2, noNaN: true }),
    isArmed: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.nat(20), (steps, mostPerSecond) => {
      const stage = new Stage(2000, mostPerSecond)
      let asked = 0
      for (const { key, times, waitMs, spareRatio, isArmed } of steps) {
        stage.nowMs += waitMs
        stage.store(key).request(key, times)
        const due = stage.due({ isArmed, spareRatio })
        asked += due.length
        assert.equal(new Set(due).size, due.length)
        assert.ok(due.length <= 1 + mostPerSecond)
        if (!isArmed && spareRatio <= 0) assert.equal(due.length, 0)
      }
      assert.ok(asked <= (1 + mostPerSecond) * (1 + (stage.nowMs - START) / 1000) + 1e-6)
    }),
  )
})
