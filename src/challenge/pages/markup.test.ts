import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { escapeMarkup, safeImage, safeLink, safeTarget } from './markup.ts'

describe('markup', () => {
  test('text cannot leave its element or its attribute', () => {
    assert.equal(escapeMarkup(`<b a="1" b='2'>&amp;`), '&lt;b a=&#34;1&#34; b=&#39;2&#39;&gt;&amp;amp;')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(escapeMarkup(text), /[<>"']/)
      }),
    )
  })

  const targets: readonly (readonly [string, string])[] = [
    ['/', '/'],
    ['/a/b?c=d&e=%20f', '/a/b?c=d&e=%20f'],
    ['//evil.example/', '/.//evil.example/'],
    ['///evil.example/', '/.///evil.example/'],
    ['/\\evil.example/', '/%5Cevil.example/'],
    ['/\t/evil.example/', '/%09/evil.example/'],
    ['/caf\xe9', '/caf%E9'],
    ['/\ud800', '/%EF%BF%BD'],
    ['/"onmouseover="x', '/%22onmouseover=%22x'],
    ['/a#b?c', '/a%23b?c'],
    ['javascript:alert(1)', '/'],
    ['http://evil.example/', '/'],
    ['*', '/'],
    ['', '/'],
  ]
  for (const [target, expected] of targets)
    test(`${JSON.stringify(target)} becomes ${expected}`, () => assert.equal(safeTarget(target), expected))

  test('no target leads to another host', () => {
    const base = 'https://www.example.org/some/page'
    const hostile = fc.array(
      fc.constantFrom(
        '/',
        '\\',
        '.',
        '..',
        '\t',
        '\n',
        'evil.example',
        '@',
        ':',
        '?',
        '#',
        '%2f',
        '\x00',
        'é',
      ),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          hostile.map((parts) => `/${parts.join('')}`),
        ),
        (target) => {
          assert.equal(new URL(safeTarget(target), base).origin, 'https://www.example.org')
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('a target that needs nothing keeps every character', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.webQueryParameters(), (path, query) => {
        const target = `${path.startsWith('/') && !path.startsWith('//') ? path : '/a'}?${query}`
        const clean = safeTarget(target)
        assert.equal(new URL(clean, 'https://x.example').href, new URL(target, 'https://x.example').href)
      }),
    )
  })

  test('links of the operator are web addresses, images are images', () => {
    assert.equal(safeLink('https://www.example.org/état?a=1'), 'https://www.example.org/état?a=1')
    for (const href of ['javascript:x', 'https://a"b', 'ftp://x', '//x', "https://a'b", 'https://a b'])
      assert.equal(safeLink(href), undefined)
    assert.equal(safeImage('data:image/png;base64,AAAA=='), 'data:image/png;base64,AAAA==')
    for (const uri of [
      'data:text/html,x',
      'https://x/y.png',
      'data:image/png;base64,"x',
      'data:image/svg+xml,<svg>',
    ])
      assert.equal(safeImage(uri), undefined)
  })
})
