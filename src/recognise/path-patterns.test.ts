import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PathPatterns, pathPatternFault } from './path-patterns.ts'

describe('patterns', () => {
  test('the four kinds', () => {
    const set = new PathPatterns(['/a', '/b/*', '/c*', '*.d', '/É', '/x.html'])
    const has = (target: string) => set.has(target)
    assert.deepEqual(['/a', '/A/', '/fr/a', '/a.html', '/x', '/x.php'].map(has), Array(6).fill(true))
    assert.deepEqual(['/b', '/b/', '/b/1/2', '/c', '/c1/2', '/9.d', '/9/.d'].map(has), Array(7).fill(true))
    assert.deepEqual(['/ab', '/a/b', '/bb', '/d', '/9.d/', '/9d'].map(has), Array(6).fill(false))
    assert.deepEqual(['/%C3%A9', '/%C3%89', '/é'].map(has), Array(3).fill(true))
  })

  test('none match without patterns, whatever is asked', () => {
    const none = new PathPatterns([])
    for (const target of ['/', '/robots.txt', '/a?b', '']) assert.equal(none.has(target), false)
  })

  test('a pattern with a fault is told and matches nothing', () => {
    for (const pattern of ['', 'robots.txt', '*', '/*', '/a*b', '*a*', '/a?b', '/a#b', '/a b', '**']) {
      assert.match(pathPatternFault(pattern) ?? '', /^expected a path such as .*, got "/, pattern)
      const set = new PathPatterns([pattern])
      for (const target of ['/', '/a', '/robots.txt', '/ab']) assert.equal(set.has(target), false)
    }
    assert.equal(pathPatternFault('/'), undefined)
    assert.equal(new PathPatterns(['/']).has('/?x'), true)
    // No plain path can be this one.
    assert.equal(new PathPatterns(['/a/../b']).has('/a/../b'), false)
  })
})
