import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_NEVER_CHALLENGED, PathPatterns } from '#recognise'
import { plainPath } from './decisions.ts'

test('what is never challenged is so in the reading that refusals use', () => {
  const paths = new PathPatterns(DEFAULT_NEVER_CHALLENGED)
  const part = fc.constantFrom(
    ...[
      '/',
      '/.',
      '/..',
      '/..;',
      '/.well-known',
      '/robots.txt',
      '/search',
      '/fr',
      '/feed',
      '.rss',
      '/sitemap',
    ],
    ...['%2e', '%2F', '%5c', '%3b', ';a', '\\', '%', '%ff', '%C3%A9', '%72obots.txt', '?', 'a'],
  )
  let exempt = 0
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const target = `/${parts.join('')}`
      if (!paths.has(target)) return
      exempt++
      assert.equal(paths.has(encodeURI(plainPath(target))), true, target)
    }),
    { numRuns: 5000 },
  )
  assert.ok(exempt > 100, `only ${exempt}`)
})
