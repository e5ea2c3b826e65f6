import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RouteCosts } from './route-costs.ts'

function taught(): RouteCosts {
  const costs = new RouteCosts({ maxRoutes: 8 })
  for (let i = 0; i < 200; i++) {
    costs.learn('GET /', 10, 8)
    costs.learn('GET /{n}', 12, 9)
    if (i % 10 === 0) costs.learn('GET /search', 110, 100)
  }
  return costs
}

test('each route costs what it took in calm weather, an unknown one the median', () => {
  const costs = taught()
  assert.ok(Math.abs(costs.expected('GET /') - 10) < 0.1)
  assert.ok(Math.abs(costs.expected('GET /search') - 110) < 1)
  assert.ok(costs.expected('GET /never-seen') > 8 && costs.expected('GET /never-seen') < 15)
})

test('an expensive route at its usual pace is no overload', () => {
  const costs = taught()
  assert.ok(Math.abs(costs.ratio('GET /search', 100, 0) - 1) < 0.01)
  assert.ok(costs.ratio('GET /search', 400, 0) > 3.5)
})

test('an unknown route is measured against its own fastest answers', () => {
  const costs = taught()
  for (let i = 0; i < 50; i++) costs.ratio('GET /new', 60, 0)
  assert.ok(costs.ratio('GET /new', 60, 0) < 1.1)
  assert.ok(costs.ratio('GET /new', 240, 0) > 3)
})

test('routes are bounded, and what is kept can be restored', () => {
  const costs = taught()
  for (let i = 0; i < 10_000; i++) {
    costs.learn(`GET /${i}`, 1, 1)
    costs.ratio(`GET /x${i}`, 5, 0)
  }
  assert.ok(costs.size <= 8)
  assert.ok(costs.forgotten > 9000)
  const again = new RouteCosts()
  again.restore(taught().rows())
  assert.ok(Math.abs(again.expected('GET /search') - 110) < 1)
})

test('of many routes those learned from most often are kept', () => {
  const costs = new RouteCosts()
  for (let i = 0; i < 200; i++) for (let n = 0; n < 5 + i; n++) costs.learn(`GET /${i}`, 10, 8)
  const routes = costs.rows(3).map(([route]) => route)
  assert.deepEqual(routes, ['GET /199', 'GET /198', 'GET /197'])
})

test('a stall of the process does not make a route dear', () => {
  const costs = new RouteCosts()
  costs.learn('GET /asset', 400, 400)
  for (let i = 0; i < 60; i++) costs.learn('GET /asset', 4, 3)
  for (let i = 0; i < 10; i++) costs.learn('GET /asset', 400, 400)
  assert.ok(costs.expected('GET /asset') < 10, String(costs.expected('GET /asset')))
})

test('a route that became dearer is learned', () => {
  const costs = taught()
  for (let i = 0; i < 200; i++) costs.learn('GET /', 80, 70)
  assert.ok(costs.expected('GET /') > 75)
})
