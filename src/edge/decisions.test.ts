import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision } from '#control'
import { UNSPECIFIED } from '#networks'
import { Decisions, plainPath } from './decisions.ts'

const PATHS: readonly (readonly [target: string, path: string])[] = [
  ['/search?q=1', '/search'],
  ['/%73earch', '/search'],
  ['/x/../search', '/search'],
  ['/./search/', '/search/'],
  ['//search', '/search'],
  ['/x/%2e%2e/search', '/search'],
  ['/x\\..\\search', '/search'],
  ['/x/..;/search', '/search'],
  ['/;v=1/search;jsessionid=2/a', '/search/a'],
  // What is no UTF-8 does not hide the rest.
  ['/%73earch/%ff', '/search/%ff'],
  ['/%ff%2e/%73earch', '/%ff./search'],
  ['/caf%C3%A9', '/café'],
  ['/%', '/%'],
  ['/..', '/'],
]
for (const [target, path] of PATHS) {
  test(`${target} is read as ${path}`, () => assert.equal(plainPath(target), path))
}

test('a refused path is refused however it is spelt', () => {
  const refuse = { id: '1', effect: 'refuse', path: '/search', expiresAtMs: 2 } as unknown as Decision
  const decisions = new Decisions([refuse], 1)
  for (const [target, path] of PATHS) {
    const expected = path.startsWith('/search') ? 'refuse' : undefined
    assert.equal(decisions.effectOn(UNSPECIFIED, 'example.org', target), expected, target)
  }
})

test('a decision may spell its path as a request does', () => {
  const refuse = { id: '1', effect: 'refuse', path: '/caf%C3%A9/', expiresAtMs: 2 } as unknown as Decision
  assert.equal(new Decisions([refuse], 1).effectOn(UNSPECIFIED, 'a', '/caf%c3%a9/x'), 'refuse')
})
