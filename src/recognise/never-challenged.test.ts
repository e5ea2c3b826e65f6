import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_NEVER_CHALLENGED } from './never-challenged.ts'
import { PathPatterns, pathPatternFault } from './path-patterns.ts'

const byDefault = new PathPatterns(DEFAULT_NEVER_CHALLENGED)

const EXEMPT = [
  '/robots.txt',
  '/robots.txt?x=1',
  '/ROBOTS.txt',
  '//robots.txt',
  '/%72obots.txt',
  '/.well-known/security.txt',
  '/.well-known/',
  '/.well-known',
  '/feed',
  '/feed/',
  '/feed/atom/',
  '/fr/feed/',
  '/feed.json',
  '/actualites.rss',
  '/blog/2024/index.atom?page=2',
  '/sitemap.xml',
  '/sitemap_index.xml',
  '/sitemap-3.xml.gz',
  '/wp-sitemap-posts-post-1.xml',
  '/post-sitemap.xml',
  '/healthz',
  '/actuator/health/liveness',
  '/accessibilite',
  '/accessibilit%C3%A9',
  '/accessibilite%CC%81', // decomposed
  '/fr/accessibilite-numerique/',
  '/declaration-accessibilite.html',
  '/mentions-legales',
  '/fr-FR/mentions-legales/',
  '/fr_ch/mentions-legales.php',
  '/accessibility',
  '/en/accessibility-statement',
  '/Impressum',
  '/de/impressum.html',
  '/erkl%C3%A4rung-zur-barrierefreiheit',
  '/urgence',
  '/urgences/hopital-nord',
  '/emergency/flood',
  '/notfall/',
  '/es/aviso-legal',
]

const NOT_EXEMPT = [
  '/',
  '',
  '*',
  'robots.txt',
  '/search?q=/robots.txt',
  '/search/robots.txt',
  '/robots.txt.exe',
  '/robots.txt/x',
  '/feedback',
  '/rssfeed',
  '/urgencexyz',
  '/legalisation',
  '/article.rss.html',
  '/search/mentions-legales',
  '/feeds-of/mentions-legales',
  '/french/mentions-legales',
  '/f/mentions-legales',
  '/fr/fr/mentions-legales',
  // Two origins, two readings.
  '/search/../robots.txt',
  '/search/%2e%2e/robots.txt',
  '/search/..;/robots.txt',
  '/search%2f..%2frobots.txt',
  '/robots.txt;jsessionid=1',
  '/.well-known/../search',
  '/.well-known/..',
  '/.well-known/%2e%2e/search',
  '/.well-known/..%2fsearch',
  '/.well-known/..\\search',
  '/.well-known/%252e%252e/search',
  '/x%00.rss',
  '/x%3f.rss',
  '/%ff.rss',
  '/%.rss',
]

describe('what is never challenged', () => {
  for (const target of EXEMPT) test(`${target} is not`, () => assert.equal(byDefault.has(target), true))
  for (const target of NOT_EXEMPT) test(`${target} may be`, () => assert.equal(byDefault.has(target), false))

  test('an exempt path has no disguise, and all its plain spellings are exempt', () => {
    const part = fc.constantFrom(
      ...['/', '//', '/.', '/..', '/.well-known', '/robots.txt', '/search', '/fr', '/feed', '.rss'],
      ...['%2e', '%2F', '%5c', ';', '\\', '%', '%C3%A9', '%72obots.txt', '?', '#', 'a'],
    )
    const target = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(target, (target) => {
        if (!byDefault.has(target)) return
        const path = target.split(/[?#]/)[0]!
        assert.doesNotMatch(path, /%2e|%2f|%5c|[\\;]|\/\.{1,2}(\/|$)/i)
        assert.equal(byDefault.has(path.toUpperCase()), true)
        assert.equal(byDefault.has(`${path}?q=1`), true)
        assert.equal(byDefault.has(decodeURIComponent(path)), true)
      }),
      { numRuns: 5000 },
    )
  })

  test('nothing sent makes it throw', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), fc.array(fc.nat(0xffff)), (text, units) => {
        assert.equal(typeof byDefault.has(`/${text}${String.fromCharCode(...units)}`), 'boolean')
      }),
    )
  })

  test('a path of 100,000 slashes and dots costs no more than reading it', () => {
    for (const piece of ['/', '/.', '%2', '/a', '.rss/'])
      assert.equal(byDefault.has(piece.repeat(50_000)), false)
  })
})

test('the patterns are sound, each once', () => {
  assert.deepEqual(DEFAULT_NEVER_CHALLENGED.map(pathPatternFault).filter(Boolean), [])
  assert.equal(new Set(DEFAULT_NEVER_CHALLENGED).size, DEFAULT_NEVER_CHALLENGED.length)
  for (const pattern of DEFAULT_NEVER_CHALLENGED) {
    const path = pattern.startsWith('*') ? `/x${pattern.slice(1)}` : pattern.replace('*', '')
    assert.equal(new PathPatterns([pattern]).has(encodeURI(path)), true, pattern)
  }
})
