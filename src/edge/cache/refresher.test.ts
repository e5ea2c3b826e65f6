import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dispatcher } from 'undici'
import type { Claim, Verdict } from '#admission'
import type { SiteRuntime } from '../house.ts'
import type { Filling } from './filling.ts'
import { Refresher } from './refresher.ts'

function scene() {
  const clock = { nowMs: 1000 }
  const log: string[] = []
  const counted: string[] = []
  const handlers: Dispatcher.DispatchHandler[] = []
  let verdict: Verdict = { action: 'admit' }
  let wish: 'copy' | 'pass' | 'instead' = 'copy'
  const pool = {
    dispatch: (_: unknown, handler: Dispatcher.DispatchHandler) => {
      handlers.push(handler)
      // As undici does: an abort is told as an error.
      handler.onConnect!((error) => {
        log.push('aborted')
        handler.onError!(error ?? new Error('aborted'))
      })
      return true
    },
  }
  const site = {
    config: { originTimeout: 1000 },
    gate: {
      ask: (_: Claim) => verdict,
      responded: () => log.push('responded'),
      settle: (_: Claim, outcome: string) => log.push(`settle ${outcome}`),
    },
    origins: {
      pick: () => ({ pool }),
      succeeded: () => log.push('succeeded'),
      failed: () => log.push('failed'),
      returned: () => log.push('returned'),
    },
  } as unknown as SiteRuntime
  const filling = {
    conditions: undefined,
    isOver: false,
    answered: () => wish,
    data: () => {},
    completed: () => log.push('completed'),
    abandoned: () => log.push('abandoned'),
    standIn: () => void log.push('stood in'),
  } as unknown as Filling
  const refresher = new Refresher({ nowMs: () => clock.nowMs, count: (counter) => counted.push(counter) })
  return {
    clock,
    log,
    counted,
    handlers,
    refresher,
    start: () => refresher.start({ site, target: '/', fields: [], route: 'GET /' }, filling),
    verdict: (given: Verdict) => (verdict = given),
    wish: (given: typeof wish) => (wish = given),
  }
}

const head = (handler: Dispatcher.DispatchHandler, status: number) =>
  handler.onHeaders!(status, [], () => {}, '')

test('an answer is copied, and its permit comes back', () => {
  const { log, handlers, start } = scene()
  start()
  head(handlers[0]!, 200)
  handlers[0]!.onData!(Buffer.from('page'))
  handlers[0]!.onComplete!([])
  assert.deepEqual(log, ['succeeded', 'responded', 'completed', 'settle answered'])
})

test('an origin that stops in the middle of its answer does not keep the permit', () => {
  const { log, handlers, clock, counted, refresher, start } = scene()
  start()
  head(handlers[0]!, 200)
  clock.nowMs += 1999
  refresher.tick()
  assert.deepEqual(log, ['succeeded', 'responded'])
  clock.nowMs += 1
  refresher.tick()
  refresher.tick()
  assert.deepEqual(log.slice(2), ['aborted', 'abandoned', 'settle failed'])
  assert.deepEqual(counted, ['cache-refresh-late'])
})

test('what is of no use is broken off, but not the connection of a 304', () => {
  for (const [status, wish, expected] of [
    [304, 'instead', ['settle answered']],
    [200, 'pass', ['settle answered', 'aborted']],
    [503, 'instead', ['settle failed', 'aborted']],
  ] as const) {
    const scene_ = scene()
    scene_.wish(wish)
    scene_.start()
    head(scene_.handlers[0]!, status)
    assert.deepEqual(scene_.log.slice(2), expected)
  }
})

test('there is room for so many at once, and a place is free again however one ends', () => {
  const { handlers, refresher, counted, start, verdict } = scene()
  for (let n = 0; n < 64; n++) start()
  assert.equal(refresher.hasRoom, false)
  assert.deepEqual(counted, ['cache-refresh-full'])
  for (const handler of handlers.splice(0)) handler.onError!(new Error('refused'))
  assert.ok(refresher.hasRoom)
  verdict({ action: 'shed', reason: 'over-share', retryAfterS: 1 })
  for (let n = 0; n < 100; n++) start()
  assert.ok(refresher.hasRoom)
})
