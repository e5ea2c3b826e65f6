import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { routeOf } from './route.ts'

const CASES: [string, string][] = [
  ['/', '/'],
  ['/?q=1', '/?'],
  ['/search?q=%27', '/search?'],
  ['/article/123?x=1', '/article/{n}?'],
  ['/article/123', '/article/{n}'],
  ['/article/123/', '/article/{n}'],
  ['//article//123', '/article/{n}'],
  ['/2024/08/12/the-minister-answers-again-today', '/{n}/{n}/{n}/{slug}'],
  ['/2024-08-12', '/{n}'],
  ['/user/550e8400-e29b-41d4-a716-446655440000/edit', '/user/{hex}/edit'],
  ['/o/9f86d081884c7d65', '/o/{hex}'],
  ['/static/app.1b2c3d4e5f.js', '/static/{x}'],
  ['/static/app.js', '/static/app.js'],
  ['/cafe/face', '/cafe/face'],
  ['/contact-us', '/contact-us'],
  ['/news-18422', '/{slug}'],
  ['/caf%C3%A9', '/{x}'],
  ['/a/b/c/d/e/f/g/h/i/j?k', '/a/b/c/d/e/f/g/h/**?'],
  ['*', '*'],
  ['garbage', '{x}'],
  [`/${'a'.repeat(49)}`, '/{x}'],
]

for (const [target, template] of CASES) {
  test(`${target} is ${template}`, () => {
    assert.equal(routeOf('GET', target), `GET ${template}`)
  })
}

test('HEAD counts as GET, and an unknown method is OTHER', () => {
  assert.equal(routeOf('HEAD', '/a'), 'GET /a')
  assert.equal(routeOf('XYZZY', '/a'), 'OTHER /a')
})

test('any target gives a short template, the same each time', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (path) => {
      const route = routeOf('GET', `/${path}`)
      assert.equal(route, routeOf('GET', `/${path}`))
      assert.ok(route.length <= 4 + 8 * 49 + 4, route)
      assert.doesNotMatch(route, /\/\/|[^ ]\/\??$/)
    }),
  )
})

test('random numbers, hashes and queries do not make classes', () => {
  const classes = new Set<string>()
  fc.assert(
    fc.property(fc.nat(), fc.uuid(), fc.string(), (n, uuid, q) => {
      classes.add(routeOf('GET', `/item/${n}?${encodeURIComponent(q)}`))
      classes.add(routeOf('GET', `/item/${uuid}`))
    }),
  )
  assert.equal(classes.size, 2)
})
