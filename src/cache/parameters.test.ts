import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Parameters } from './parameters.ts'
import { loosely, looseNameOf, nameOf } from './query.ts'

const KEY = { k0: 1, k1: 2 }
const START = 1_800_000_000_000

/** An origin, and a calm site before it that learns from what visitors ask for. */
class Site {
  readonly parameters: Parameters
  readonly body: (target: string) => string
  nowMs = START

  constructor(body: (target: string) => string, parameters = new Parameters({ key: KEY })) {
    this.body = body
    this.parameters = parameters
  }

  /** A second passes, and somebody asks. */
  visit(...targets: readonly string[]): void {
    for (const target of targets) {
      this.nowMs += 1000
      this.parameters.learn(target, this.body(target), 200, this.nowMs)
    }
  }

  /** Visits to each of the pages in turn, over a minute and more. */
  calm(...targets: readonly string[]): void {
    for (let i = 0; i < 70; i++) this.visit(targets[i % targets.length]!)
  }

  stripped(target: string): string | undefined {
    return this.parameters.stripped(target)
  }
}

const query = (target: string) => new URL(target, 'https://www.example.org').searchParams
const pathOf = (target: string) => target.split('?')[0]!

/** Pages that heed `page`, `lang` and `sort` only. */
const plain = (target: string) =>
  [pathOf(target), ...['page', 'lang', 'sort'].map((name) => query(target).get(name) ?? '')].join(' ')

describe('stable paths', () => {
  test('three views over half a minute make a page stable, fewer or faster ones do not', () => {
    const site = new Site(plain)
    const steps = [0, 10_000, 29_999, 30_000]
    const answers = steps.map((ms) => {
      site.parameters.learn('/', 'home', 200, START + ms)
      return site.stripped('/?x=1')
    })
    assert.deepEqual(answers, [undefined, undefined, undefined, '/'])
  })

  test('a page with a nonce is never stable', () => {
    let nonce = 0
    const site = new Site(() => String(nonce++))
    for (let i = 0; i < 5; i++) site.calm('/form')
    assert.equal(site.stripped('/form?x=1'), undefined)
  })

  test('a page with a news ticker is not stable, one that is edited now and then stays so', () => {
    const ticker = new Site((target) => `${target} ${Math.floor(ticker.nowMs / 3000)}`)
    for (let i = 0; i < 5; i++) ticker.calm('/')
    assert.equal(ticker.stripped('/?x=1'), undefined)
    const edited = new Site((target) => `${target} ${Math.floor(edited.nowMs / 60_000)}`)
    for (let i = 0; i < 5; i++) edited.calm('/')
    assert.equal(edited.stripped('/?x=1'), '/')
  })

  test('a stable page that begins to change with every view is stable no more', () => {
    let nonce: number | undefined
    const site = new Site(() => String(nonce === undefined ? 0 : nonce++))
    site.calm('/')
    assert.equal(site.stripped('/?x=1'), '/')
    nonce = 1
    site.visit(...Array.from({ length: 20 }, () => '/'))
    assert.equal(site.stripped('/?x=1'), undefined)
  })

  test('errors, parts and redirects make no page stable', () => {
    for (const status of [206, 301, 304, 404, 429, 500, 503]) {
      const site = new Site(plain)
      for (let i = 0; i < 70; i++) site.parameters.learn('/', 'x', status, (site.nowMs += 1000))
      assert.equal(site.stripped('/?x=1'), undefined, String(status))
    }
  })

  test('variants of a page are compared with their like only', () => {
    const site = new Site(plain)
    for (let i = 0; i < 70; i++)
      site.parameters.learn('/', i % 2 ? 'en' : 'fr', 200, (site.nowMs += 1000), i % 2 ? 'en' : 'fr')
    assert.equal(site.stripped('/?x=1'), '/')
    const mixed = new Site(plain)
    for (let i = 0; i < 70; i++) mixed.parameters.learn('/', i % 2 ? 'en' : 'fr', 200, (mixed.nowMs += 1000))
    assert.equal(mixed.stripped('/?x=1'), undefined)
  })

  test('paths are apart, and nothing is known of one that was not seen', () => {
    const site = new Site(plain)
    site.calm('/')
    assert.equal(site.stripped('/other?x=1'), undefined)
    assert.equal(site.stripped('*'), undefined)
    assert.equal(site.stripped(''), undefined)
  })
})

describe('parameters that change the page', () => {
  test('what a flood invents is dropped in all its forms', () => {
    const site = new Site(plain)
    site.calm('/')
    for (const target of [
      '/?x=1',
      '/?8237482',
      '/?',
      '/?&&',
      '/?a=1&a=2',
      '/?=1',
      '/?%zz=1',
      '/?a[]=1&b;c=3',
    ])
      assert.equal(site.stripped(target), '/', target)
    assert.equal(site.stripped('/'), undefined, 'nothing to drop')
  })

  test('four thousand parameters are as good as sixty-four', () => {
    const site = new Site(plain)
    site.calm('/news', '/news?page=2')
    assert.equal(site.stripped(`/news?page=3&${'a&'.repeat(4000)}page=4`), '/news?page=3')
    assert.equal(site.stripped(`/news?${'a'.repeat(9000)}`), undefined, 'longer than any key')
  })

  test('those learned are kept, in their order and spelling', () => {
    const site = new Site(plain)
    site.calm('/news', '/news?page=2', '/news', '/news?lang=en')
    assert.equal(site.stripped('/news?x=1&lang=e%6E&y&page=3&z=1'), '/news?lang=e%6E&page=3')
    assert.equal(site.stripped('/news?page=3'), undefined)
    assert.equal(site.stripped('/news?p%61ge=3&x'), '/news?p%61ge=3')
    assert.equal(site.stripped('/news?x=1'), '/news')
  })

  test('one that was seen a single time is kept as well', () => {
    const site = new Site(plain)
    site.calm('/news')
    site.visit('/news?page=2')
    assert.equal(site.stripped('/news?page=3&x'), '/news?page=3')
    site.visit('/news')
    assert.equal(site.stripped('/news?page=3&x'), '/news?page=3')
  })

  test('a page that is read once in an hour teaches as well', () => {
    const site = new Site(plain)
    for (let hour = 0; hour < 12; hour++) {
      site.nowMs += 3_600_000
      site.visit(hour % 3 === 2 ? '/news?page=2' : '/news')
    }
    assert.equal(site.stripped('/news?x&page=3'), '/news?page=3')
    assert.deepEqual(site.parameters.toJSON().paths[0]?.matters, ['page'])
  })

  test('a redirect or a missing page is another answer too', () => {
    const site = new Site(plain)
    site.calm('/')
    site.parameters.learn('/?p=7', '', 301, site.nowMs)
    assert.equal(site.stripped('/?p=8&x'), '/?p=8')
  })

  test('an edit of the page between two looks is not held against a parameter', () => {
    let edition = 1
    const site = new Site((target) => `${pathOf(target)} ${edition}`)
    site.calm('/')
    edition = 2
    site.visit('/?utm_source=letter')
    assert.equal(site.stripped('/?utm_source=x&y'), '/?utm_source=x')
    for (let i = 0; i < 20; i++) site.visit('/')
    assert.equal(site.stripped('/?utm_source=x&y'), '/')
  })

  test('what advertisers append is not condemned with its neighbour, but by itself', () => {
    const site = new Site(plain)
    site.calm('/news', '/news?page=2&utm_source=a')
    assert.equal(site.stripped('/news?utm_source=b&page=3'), '/news?page=3')
    const tracked = new Site((target) => `${pathOf(target)} ${query(target).get('utm_source')}`)
    tracked.calm('/news', '/news?utm_source=a')
    assert.equal(tracked.stripped('/news?utm_source=b&x'), '/news?utm_source=b')
  })

  test('one that never came alone is kept with its neighbour', () => {
    const site = new Site(plain)
    site.calm('/news', '/news?page=2&sort=up')
    assert.equal(site.stripped('/news?x&sort=down&page=9'), '/news?sort=down&page=9')
  })

  test('those that the operator names are kept everywhere', () => {
    const site = new Site(plain, new Parameters({ known: ['id'], key: KEY }))
    site.calm('/')
    assert.equal(site.stripped('/?id=5&x=1'), '/?id=5')
    assert.equal(site.stripped('/?ID=5&x=1'), undefined)
  })

  test('on a page that is rarely read, those are kept that matter on two others', () => {
    const site = new Site(plain)
    site.calm('/a', '/a?lang=en')
    site.calm('/b', '/b?lang=en', '/b', '/b?q=1')
    site.calm('/rare')
    assert.equal(site.stripped('/rare?lang=en&q=1'), '/rare?lang=en')
    site.calm('/rare')
    assert.equal(site.stripped('/rare?lang=en&q=1'), '/rare', 'by now it would have shown')
  })
})

describe('ambiguous queries', () => {
  const site = new Site(plain)
  site.calm('/news', '/news?page=2')
  const dubious = [
    'page=1&page=2',
    'x=1;page=2',
    'x;Page=2',
    'page=2;x=1',
    'page[]=2',
    'page[0]=2',
    'PAGE=2',
    '%20page=2',
    'p%age=2',
    'page%00=2',
    'page%5B%5D=2',
    'amp;page=2',
  ]
  for (const one of dubious)
    test(`nothing stands for ?x&${one}, where page matters`, () => {
      assert.equal(site.stripped(`/news?x&${one}`), undefined)
      assert.equal(site.stripped(`/news?${one}&x`), undefined)
    })

  test('names are read plainly and loosely', () => {
    assert.deepEqual(['a', 'a=b=c', '%61+b=1', '%=1', '%4', ''].map(nameOf), ['a', 'a', 'a b', '%', '%4', ''])
    assert.deepEqual(['A.b=1', '[x]=1', 'a%5Bk%5D[j]', '+a ', 'a%zz', '%'].map(looseNameOf), [
      'a_b',
      '[x]',
      'a',
      'a',
      'azz',
      '',
    ])
    assert.equal(loosely('Filter[0]'), 'filter')
  })
})

/** A cache before an origin, in a flood: keys, and who is asked with what. */
function served(
  site: Site,
  requests: readonly string[],
  fillBy: 'stripped request' | 'full request',
): { readonly bodies: readonly string[]; readonly asked: number } {
  const stored = new Map<string, string>()
  let asked = 0
  const bodies = requests.map((target) => {
    const key = site.stripped(target) ?? target
    let body = stored.get(key)
    if (body === undefined) {
      asked++
      body = site.body(fillBy === 'stripped request' ? key : target)
      stored.set(key, body)
    }
    return body
  })
  return { bodies, asked }
}

describe('attacks', () => {
  /** Shows who came from where, without escaping. */
  const reflecting = (target: string) => `${plain(target)} <a>${query(target).get('from') ?? ''}</a>`

  test('a script in an unknown parameter comes to others if the full request fills the key, and never else', () => {
    const site = new Site(reflecting)
    site.calm('/')
    const requests = ['/?from=<script>', '/', '/?from=friend']
    assert.match(served(site, requests, 'full request').bodies[1]!, /<script>/)
    for (const body of served(site, requests, 'stripped request').bodies)
      assert.doesNotMatch(body, /<script>/)
  })

  test('a script in a parameter that was learned stays with who sent it', () => {
    const site = new Site(reflecting)
    site.calm('/', '/?from=friend')
    const { bodies } = served(site, ['/?from=<script>&x=1', '/', '/?from=friend'], 'stripped request')
    assert.deepEqual(
      bodies.map((body) => body.includes('<script>')),
      [true, false, false],
    )
  })

  test('a flood with random queries asks the origin for every one, and once when stripped', () => {
    const requests = Array.from({ length: 10_000 }, (_, i) => `/?${i}=${i * 7}`)
    assert.equal(served(new Site(plain), requests, 'stripped request').asked, 10_000)
    const site = new Site(plain)
    site.calm('/')
    assert.equal(served(site, requests, 'stripped request').asked, 1)
  })

  test('nobody makes a parameter look harmless that matters', () => {
    /** The first page has no number, and what is no number is the first page. */
    const paged = (target: string) =>
      `${pathOf(target)} ${Math.max(1, Number(query(target).get('page')) || 1)}`
    const alike = ['page=1', 'page=01', 'page=001', 'page=x', 'page=', 'page=-1']
    const before = new Site(paged)
    before.calm('/news', ...alike.map((one) => `/news?${one}`))
    assert.equal(before.stripped('/news?page=2'), '/news', 'so far nobody saw another page')
    before.visit('/news', '/news?page=2')
    assert.equal(before.stripped('/news?page=2&x'), '/news?page=2')
    for (let i = 0; i < 10; i++) before.calm('/news', ...alike.map((one) => `/news?${one}`))
    assert.equal(before.stripped('/news?page=2&x'), '/news?page=2')
    const after = new Site(paged)
    after.calm('/news', '/news?page=2')
    for (let i = 0; i < 10; i++) after.calm('/news', ...alike.map((one) => `/news?${one}`))
    assert.equal(after.stripped('/news?page=2&x'), '/news?page=2')
  })

  test('a crawl through thousands of paths and names leaves what is known of pages that people read', () => {
    const site = new Site(plain, new Parameters({ paths: 200, key: KEY }))
    for (let i = 0; i < 30; i++) site.visit('/', '/news', '/news?page=2', '/news', '/news?page=3')
    for (let i = 0; i < 10_000; i++) {
      site.visit(`/made-up/${i}`)
      if (i % 10 === 0) site.visit('/news', `/news?made-up-${i}=1`)
    }
    assert.equal(site.stripped('/?x'), '/')
    assert.equal(site.stripped('/news?x&page=4'), '/news?page=4')
    const { paths, forgottenPaths, forgottenNames } = site.parameters.report()
    assert.ok(paths <= 200 && forgottenPaths > 9000 && forgottenNames > 900)
  })

  /** As many pages have it: a link to themselves. */
  const canonical = (target: string) => `<link rel=canonical href="${target}">`

  test("a flood's first second teaches nothing by which the next one passes", () => {
    const site = new Site(canonical)
    site.calm('/')
    for (let i = 0; i < 2000; i++) {
      site.parameters.learn(`/?${i}=1`, site.body(`/?${i}=1`), 200, site.nowMs)
      if (i % 5 === 0) site.parameters.learn('/', site.body('/'), 200, site.nowMs)
    }
    const requests = Array.from({ length: 2000 }, (_, i) => `/?n${i}=1`)
    assert.equal(served(site, requests, 'stripped request').asked, 1)
  })

  test('not even a thousand names that come again make a page that is not stripped, in a minute', () => {
    const site = new Site(canonical)
    site.calm('/')
    for (let i = 0; i < 4000; i++) {
      const target = `/?${i >> 2}=${i}`
      site.parameters.learn(target, site.body(target), 200, site.nowMs)
      if (i % 4 === 3) site.parameters.learn('/', site.body('/'), 200, site.nowMs)
    }
    assert.equal(site.stripped('/?x'), '/')
    assert.ok(site.parameters.report().delayedNames > 900)
  })

  test('a path where more parameters matter than can be kept is not stripped, now or after a restart', () => {
    const site = new Site(canonical)
    for (let i = 0; i < 60; i++) {
      for (let times = 0; times < 3; times++) site.visit('/search', `/search?filter${i}=${times}`, '/search')
      site.nowMs += 60_000
      site.visit('/search')
    }
    assert.equal(site.stripped('/search?x'), undefined)
    assert.equal(site.parameters.report().crowded, 1)
    const again = new Parameters()
    again.restore(JSON.parse(JSON.stringify(site.parameters)))
    assert.equal(again.stripped('/search?x'), undefined)
  })
})

describe('after a restart', () => {
  test('what was learned is known', () => {
    const site = new Site(plain)
    site.calm('/news', '/news?page=2', '/news', '/news?a=1', '/news?a=2', '/news?a=3')
    site.calm('/')
    site.visit('/?lang=en')
    const snapshot = JSON.parse(JSON.stringify(site.parameters))
    const again = new Parameters()
    assert.equal(again.restore(snapshot), 2)
    assert.equal(again.stripped('/news?x&page=4'), '/news?page=4')
    assert.equal(again.stripped('/?x&lang=de'), '/?lang=de')
    assert.deepEqual(JSON.parse(JSON.stringify(again)), snapshot)
  })

  test('what the first visitors after it showed does not stand in the way; what is known better does', () => {
    const site = new Site(plain)
    site.calm('/news', '/news?page=2', '/news', '/news?page=3')
    const snapshot = JSON.parse(JSON.stringify(site.parameters))
    const again = new Site(plain)
    again.visit('/news')
    assert.equal(again.parameters.restore(snapshot), 1)
    assert.equal(again.stripped('/news?x&page=4'), '/news?page=4')
    assert.equal(again.parameters.restore(snapshot), 0)
  })

  test('of more than there is room for, the most seen is kept', () => {
    const site = new Site(plain)
    for (let i = 0; i < 1500; i++) site.calm(`/${'long/'.repeat(60)}${i}`)
    for (let n = 0; n < 3; n++) site.calm('/')
    const { paths } = site.parameters.toJSON()
    assert.equal(paths[0]!.path, '/')
    assert.ok(JSON.stringify(paths).length < 300_000 && paths.length > 500)
  })

  test('another thread that takes over a snapshot answers the same', () => {
    const names = ['page', 'lang', 'sort', 'x', 'y', 'utm_source', 'page[]', 'Lang']
    const targets = fc
      .tuple(
        fc.constantFrom('/a', '/b', '/c'),
        fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.nat(3)), {
          maxLength: 3,
          selector: ([name]) => name,
        }),
      )
      .map(
        ([path, pairs]) =>
          path + pairs.map(([name, value], i) => `${i ? '&' : '?'}${name}=${value}`).join(''),
      )
    fc.assert(
      fc.property(fc.array(targets, { minLength: 20, maxLength: 300 }), (visits) => {
        const site = new Site(plain)
        for (const visit of visits) site.visit(pathOf(visit), visit)
        const again = new Parameters()
        again.restore(JSON.parse(JSON.stringify(site.parameters)))
        for (const target of visits) assert.equal(again.stripped(target), site.stripped(target), target)
      }),
    )
  })

  test('a snapshot with faults is taken as far as it is sound, and never throws', () => {
    const good = {
      path: '/',
      wasStable: true,
      sightings: 5,
      same: 4,
      changed: 0,
      matters: ['page'],
      suspect: [],
      harmless: [],
    }
    const of = (fault: object) => new Parameters().restore({ version: 1, paths: [{ ...good, ...fault }] })
    assert.equal(of({}), 1)
    for (const fault of [
      { path: 'x' },
      { path: `/${'x'.repeat(600)}` },
      { matters: 'page' },
      { matters: [7] },
      { matters: [''] },
      { harmless: Array.from({ length: 1000 }, String) },
      { sightings: Number.NaN },
      { changed: -1 },
      { wasStable: 1 },
    ])
      assert.equal(of(fault), 0, JSON.stringify(fault))
    fc.assert(fc.property(fc.anything(), (any) => void new Parameters().restore(any)))
    fc.assert(
      fc.property(
        fc.record({ path: fc.webPath(), matters: fc.array(fc.string()) }),
        (fault) => void of(fault),
      ),
    )
  })
})

test('of no target more is left than what it had, what matters stays, and nothing throws', () => {
  const site = new Site(plain)
  site.calm('/news', '/news?page=2', '/news', '/news?lang=en')
  /** Learns from all that, where the other one only answers. */
  const taught = new Site(plain)
  taught.calm('/news')
  const piece = fc.oneof(
    fc.constantFrom('page=2', 'page=3', 'lang=en', 'x=1', 'Page=1', 'y', '', 'a;b'),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.stringMatching(/^[%&;=+a-f\d[\].]{0,12}$/),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const target = `/news?${pieces.join('&')}`
      taught.parameters.learn(target, 'another', 200, taught.nowMs)
      taught.stripped(target)
      const stripped = site.stripped(target)
      if (stripped === undefined) return
      const all = target.slice(6).split('&')
      const mattering = all.filter((one) => /^(page|lang)(=|$)/.test(one))
      assert.equal(stripped, mattering.length === 0 ? '/news' : `/news?${mattering.join('&')}`)
      assert.equal(site.stripped(stripped), undefined, 'twice is once')
    }),
    { numRuns: 1000 },
  )
})
