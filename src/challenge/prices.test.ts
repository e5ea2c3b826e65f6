import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { PRICE_TICK_MS, Prices } from './prices.ts'
import { LEAST_PRICE, MOST_PRICE } from './protocol.ts'

const key = { k0: 1, k1: 2 }

/** Ticks as the main thread does; `window` says what happens before each. */
function run(prices: Prices, ticks: number, window: (tick: number) => void = () => {}): void {
  for (let tick = 0; tick < ticks; tick++) {
    window(tick)
    prices.tick((ranTicks += 1) * PRICE_TICK_MS)
  }
}
let ranTicks = 0

test('a quiet aggregate is asked for the least price, and so is one whose bids are all dispatched', () => {
  const prices = Prices.create({ key })
  run(prices, 50, () => {
    for (let i = 0; i < 100; i++) prices.dispatched('AS64500', 16 + i)
  })
  assert.equal(prices.price('AS64500'), LEAST_PRICE)
  assert.equal(prices.price('AS64501'), LEAST_PRICE)
  assert.deepEqual(prices.raised, { slots: 0, most: LEAST_PRICE })
})

test('a price rises while who bids it is shed, at most twofold in a tick, and to the most at last', () => {
  const prices = Prices.create({ key })
  let before = LEAST_PRICE
  run(prices, 20, () => {
    for (let i = 0; i < 100; i++) prices.shed('AS64500', 200)
    for (let i = 0; i < 100; i++) prices.dispatched('AS64500', 200)
    const now = prices.price('AS64500')
    assert.ok(now >= before && now <= 2 * before, `${before} to ${now}`)
    before = now
  })
  assert.equal(prices.price('AS64500'), MOST_PRICE)
  assert.equal(prices.raised.most, MOST_PRICE)
})

test('it rises towards what three quarters of the dispatched had bid', () => {
  const prices = Prices.create({ key })
  const window = () => {
    for (let i = 0; i < 30; i++) prices.dispatched('AS64500', i < 6 ? 16 : 28)
    for (let i = 0; i < 30; i++) prices.shed('AS64500', 100)
  }
  run(prices, 1, window)
  // The bucket of 28 begins at 25.4 = 16 · 2^(2/3); 1.25 times would have been 20.
  assert.equal(prices.price('AS64500'), 25)
})

test('bids below the price, and one unlucky request in a hundred, raise nothing', () => {
  const prices = Prices.create({ key })
  run(prices, 20, () => {
    for (let i = 0; i < 100; i++) prices.shed('AS64500', LEAST_PRICE - 1)
    for (let i = 0; i < 100; i++) prices.dispatched('AS64501', 16)
    prices.shed('AS64501', 16)
  })
  assert.equal(prices.price('AS64500'), LEAST_PRICE)
  assert.equal(prices.price('AS64501'), LEAST_PRICE)
})

test('a price falls back to the least within half a minute of silence', () => {
  const prices = Prices.create({ key })
  run(prices, 10, () => {
    for (let i = 0; i < 10; i++) prices.shed('AS64500', 256)
  })
  const high = prices.price('AS64500')
  assert.ok(high > 100)
  run(prices, 1)
  assert.equal(prices.price('AS64500'), Math.floor(16 + (high - 16) * (2 / 3)))
  run(prices, 14)
  assert.equal(prices.price('AS64500'), LEAST_PRICE)
})

test('a tick that comes early waits; one that comes late decays for the time that passed', () => {
  const prices = Prices.create({ key })
  prices.tick(0)
  for (let tick = 1; tick < 20; tick++) {
    prices.shed('AS64500', 256)
    prices.tick(tick * 100)
  }
  assert.equal(prices.price('AS64500'), 20, 'one rise in two seconds')
  prices.tick(3500)
  assert.equal(prices.price('AS64500'), 25)
  prices.tick(60_000)
  assert.equal(prices.price('AS64500'), LEAST_PRICE)
})

/**
 * An aggregate's two seconds: visitors bid the price and are served; an attacker's bids of 256 parts come in
 * the last instant, when the queue has no room for them.
 */
function overbid(prices: Prices, attacker: string): void {
  for (let i = 0; i < 500; i++) prices.shed(attacker, 256)
}

test('who overbids at the end of each tick and falls silent raises his own price only, and not for long', () => {
  const prices = Prices.create({ key })
  const visitors = Array.from({ length: 300 }, (_, i) => `AS${1000 + i}`)
  run(prices, 40, (tick) => {
    for (const network of visitors)
      for (let i = 0; i < 10; i++) prices.dispatched(network, prices.price(network))
    if (tick < 20) overbid(prices, 'AS64500')
    for (const network of visitors) assert.equal(prices.price(network), LEAST_PRICE)
    if (tick === 19) assert.equal(prices.price('AS64500'), MOST_PRICE)
  })
  assert.equal(prices.price('AS64500'), LEAST_PRICE)
})

test('among the visitors of his own network he raises it by what was dispatched, not by what he bid', () => {
  const prices = Prices.create({ key })
  // Nine in ten dispatched are visitors at the price; he buys a few places and has many shed.
  run(prices, 1, () => {
    for (let i = 0; i < 90; i++) prices.dispatched('AS64500', 16)
    for (let i = 0; i < 10; i++) prices.dispatched('AS64500', 256)
    overbid(prices, 'AS64500')
  })
  assert.equal(prices.price('AS64500'), 20)
  // Tor's rule in the same period: enqueued efforts over requests handled.
  const tors = (90 * 16 + 10 * 256 + 500 * 256) / 100
  assert.ok(tors > 1000)
  // Once in ten ticks is not enough to keep it up.
  let sum = 0
  run(prices, 100, (tick) => {
    for (let i = 0; i < 90; i++) prices.dispatched('AS64500', prices.price('AS64500'))
    if (tick % 10 === 0) overbid(prices, 'AS64500')
    sum += prices.price('AS64500')
  })
  assert.ok(sum / 100 < 18, `${sum / 100} in the mean`)
})

test('with two hundred attacking networks the price of hardly any other one rises', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (k0, k1) => {
      const prices = Prices.create({ key: { k0, k1 } })
      run(prices, 6, () => {
        for (let i = 0; i < 200; i++) overbid(prices, `AS${64_500 + i}`)
      })
      let raised = 0
      for (let i = 0; i < 4000; i++) if (prices.price(`AS${i}`) > LEAST_PRICE) raised++
      // One row alone would raise 4.8 %, some 190.
      assert.ok(raised < 30, `${raised} of 4,000`)
    }),
    { numRuns: 10 },
  )
})

test('whatever is reported, a price stays a whole number within its bounds', () => {
  const effort = fc.oneof(fc.nat(300), fc.constantFrom(Number.NaN, -1, 1e9, Number.POSITIVE_INFINITY, 0.5))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), effort, fc.nat(50))), (reports) => {
      const prices = Prices.create({ key })
      let now = 0
      for (const [isShed, bid, times] of reports) {
        for (let i = 0; i < times; i++) isShed ? prices.shed('a', bid) : prices.dispatched('a', bid)
        prices.tick((now += PRICE_TICK_MS))
        const price = prices.price('a')
        assert.ok(Number.isInteger(price) && price >= LEAST_PRICE && price <= MOST_PRICE, String(price))
      }
    }),
    { numRuns: 50 },
  )
})

test('another thread sees the price and adds to the counts', async () => {
  const prices = Prices.create({ key })
  const code = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(workerData.module).then(({ Prices }) => {
      const prices = new Prices(workerData.memory)
      for (let i = 0; i < 1000; i++) { prices.shed('AS64500', 100); prices.dispatched('AS64500', 30) }
      parentPort.postMessage(prices.price('AS64500'))
    })`
  const module = new URL('./prices.ts', import.meta.url).href
  const seen = await new Promise((resolve, reject) => {
    const worker = new Worker(code, {
      eval: true,
      execArgv: ['-C', 'source'],
      workerData: { module, memory: prices.memory },
    })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  assert.equal(seen, LEAST_PRICE)
  prices.tick(0)
  assert.equal(prices.price('AS64500'), 25)
})
