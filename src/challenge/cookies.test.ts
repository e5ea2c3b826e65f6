import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mayHoldOurs, readCookies, setCookie, takeParameter, withoutOurs, withParameter } from './cookies.ts'
import { CLEARANCE_COOKIE, KNOWN_COOKIE, PARAMETER, TICKET_COOKIE } from './protocol.ts'

const NONE = { clearance: [], known: [], ticket: [] }
const OURS = [CLEARANCE_COOKIE, KNOWN_COOKIE, TICKET_COOKIE] as const

test('the three cookies of the protocol are found and go into their own lists', () => {
  const field = OURS.map((name, i) => `${name}=v${i}`).join('; ')
  assert.deepEqual(readCookies(field), { clearance: ['v0'], known: ['v1'], ticket: ['v2'] })
  assert.equal(withoutOurs(field), undefined)
})

test('ours are found among others, and the others are left as they were', () => {
  const cases: [string, string[], string | undefined][] = [
    ['digue_c=a', ['a'], undefined],
    ['digue_c=a;', ['a'], undefined],
    ['x=1; digue_c=a; y=2', ['a'], 'x=1; y=2'],
    ['digue_c=a; x=1', ['a'], 'x=1'],
    ['x=1; digue_c=a', ['a'], 'x=1'],
    ['x=1;digue_c=a;y=2', ['a'], 'x=1;y=2'],
    ['x=1;\tdigue_c=a \t; y=2', ['a'], 'x=1;\ty=2'],
    ['digue_c=a; digue_c=b; digue_c=c; x=1', ['a', 'b'], 'x=1'],
    ['digue_c=', [''], undefined],
    ['digue_c=a=b; x="digue_c=c"', ['a=b'], 'x="digue_c=c"'],
    [' digue_c=a', ['a'], undefined],
  ]
  for (const [field, clearance, rest] of cases) {
    assert.deepEqual(readCookies(field), { ...NONE, clearance }, field)
    assert.equal(withoutOurs(field), rest, field)
  }
})

test('what only looks like ours stays', () => {
  for (const field of [
    '',
    ';',
    'x=1',
    'xdigue_c=a',
    'x digue_c=a',
    'digue_x=a',
    'digue_c',
    'digue_c =a',
    'DIGUE_C=a',
    'digue_ca=a',
    'x=digue_c=a',
    'x=1, digue_c=a',
  ]) {
    assert.deepEqual(readCookies(field), NONE, field)
    assert.equal(withoutOurs(field), field, field)
  }
  assert.ok(!mayHoldOurs('session=digue; digue=1'))
})

test('a value longer than any of ours is not looked at, and does not reach the origin', () => {
  const field = `digue_c=${'a'.repeat(65_536)}; digue_c=b`
  assert.deepEqual(readCookies(field), { ...NONE, clearance: ['b'] })
  assert.equal(withoutOurs(field), undefined)
})

test('a thousand cookies, ours or not, are read', () => {
  const many = Array.from({ length: 1000 }, (_, i) => `name${i}=value${i}`)
  const field = [...many.slice(0, 999), 'digue_k=k', many[999]].join('; ')
  assert.deepEqual(readCookies(field), { ...NONE, known: ['k'] })
  assert.equal(withoutOurs(field), many.join('; '))
  const planted = Array.from({ length: 1000 }, (_, i) => `digue_c=${i}`).join('; ')
  assert.deepEqual(readCookies(planted), { ...NONE, clearance: ['0', '1'] })
  assert.equal(withoutOurs(planted), undefined)
  const blank = `x=1;${' '.repeat(32_768)}digue_c=a`
  assert.deepEqual(readCookies(blank), NONE)
})

test('what is left when ours are taken out is what would have been sent without them', () => {
  const other = fc.stringMatching(/^[a-z]{1,5}=[a-z_0-9]{0,8}$/)
  const own = fc.tuple(fc.constantFrom(...OURS), fc.stringMatching(/^[\w.-]{0,20}$/))
  fc.assert(
    fc.property(fc.array(fc.oneof(other, own)), (cookies) => {
      const text = cookies.map((one) => (typeof one === 'string' ? one : one.join('='))).join('; ')
      const others = cookies.filter((one) => typeof one === 'string').join('; ')
      assert.equal(withoutOurs(text), text === '' ? '' : others === '' ? undefined : others)
      const found = readCookies(text)
      for (const [name, values] of [
        [CLEARANCE_COOKIE, found.clearance],
        [KNOWN_COOKIE, found.known],
        [TICKET_COOKIE, found.ticket],
      ] as const) {
        const sent = cookies.filter((one) => typeof one !== 'string' && one[0] === name)
        assert.deepEqual(
          values,
          sent.slice(0, 2).map((one) => one[1]),
        )
      }
    }),
  )
})

test('whatever the field is, nothing of ours is left in it', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('digue_c=', 'digue_', ';', '; ', ' ', 'x=1', '='))
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const rest = withoutOurs(pieces.join(''))
      if (rest !== undefined) assert.deepEqual(readCookies(rest), NONE)
    }),
  )
})

test('a cookie is HttpOnly, Lax, for the whole site, and Secure on HTTPS', () => {
  assert.equal(
    setCookie('digue_c', 'x', { secure: true, maxAgeS: 60 }),
    'digue_c=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure',
  )
  assert.equal(
    setCookie('digue_c', 'x', { secure: false, maxAgeS: 60 }),
    'digue_c=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax',
  )
})

test('the parameter is taken out wherever it stands', () => {
  const cases: [string, string, string][] = [
    ['/?digue=t', '/', 't'],
    ['/a?digue=t&x=1', '/a?x=1', 't'],
    ['/a?x=1&digue=t', '/a?x=1', 't'],
    ['/a?x=1&digue=t&y=2', '/a?x=1&y=2', 't'],
    ['/a?digue=t&digue=u&x=1&digue=v', '/a?x=1', 't'],
    ['/a?digue=t&digue=u', '/a', 't'],
    ['/a?&digue=t', '/a?', 't'],
    ['/a?digue=', '/a', ''],
    ['/a?x=/b?digue=u&digue=t', '/a?x=/b?digue=u', 't'],
    [`/a?digue=${'t'.repeat(60_000)}&x`, '/a?x', ''],
    ['http://example.org/?digue=t', 'http://example.org/', 't'],
  ]
  for (const [target, clean, token] of cases)
    assert.deepEqual(takeParameter(target), { target: clean, token }, target.slice(0, 100))
})

test('a target without the parameter is left alone', () => {
  for (const target of [
    '',
    '*',
    '/',
    '/?',
    '/digue=t',
    '/a?x=digue=t',
    '/a?xdigue=t',
    '/a?%64igue=t',
    '/a?Digue=t',
  ])
    assert.equal(takeParameter(target), undefined, target)
})

test('taking out what was put in gives the target back, whatever it was', () => {
  const query = fc.array(fc.oneof(fc.string(), fc.constantFrom('&', '?', 'x=1', `${PARAMETER}`, '=')))
  fc.assert(
    fc.property(query, fc.boolean(), fc.stringMatching(/^[\w.-]{0,40}$/), (parts, hasQuery, token) => {
      const target = `/path${hasQuery ? '?' : ''}${parts.join('')}`
      const clean = takeParameter(target)?.target ?? target
      assert.equal(takeParameter(clean), undefined)
      assert.deepEqual(takeParameter(withParameter(target, token)), { target: clean, token })
    }),
  )
})
