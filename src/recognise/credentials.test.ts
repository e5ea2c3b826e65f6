import assert from 'node:assert/strict'
import { createHash, createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { HeaderTokens, hashToken, LOGIN_CHECKS, LoginCookie } from './credentials.ts'

describe('keys in header fields', () => {
  const key = '4tQ0yq8Zb2nJx6vU'
  const token = { header: 'X-Api-Key', sha256: hashToken(key), lane: 'operator', name: 'monitoring' } as const
  const partner = {
    header: 'Authorization',
    sha256: hashToken('p4rtner'),
    lane: 'known',
    name: 'partner',
  } as const
  const second = {
    header: 'x-api-key',
    sha256: hashToken('other').toUpperCase(),
    lane: 'paid',
    name: 'other',
  } as const
  const tokens = new HeaderTokens([token, partner, second])

  test('the hash is that of sha256sum', () => {
    assert.equal(hashToken('clé'), createHash('sha256').update(Buffer.from('clé')).digest('hex'))
  })

  test('the right key in the right field is found, in any case of its name', () => {
    assert.equal(tokens.find(['accept', '*/*', 'X-API-KEY', key]), token)
    assert.equal(tokens.find(['x-api-key', ` ${key} `]), token)
    assert.equal(tokens.find(['x-api-key', 'other']), second)
    assert.equal(tokens.find(['x-api-key', 'wrong', 'x-api-key', key]), token)
  })

  test('of Authorization the key is what follows the scheme', () => {
    for (const value of ['Bearer p4rtner', 'bearer  p4rtner', 'Token p4rtner', 'p4rtner'])
      assert.equal(tokens.find(['authorization', value]), partner, value)
    for (const value of ['Bearer', 'Bearer ', 'Bearer p4rtner x', 'Bearerp4rtner', `Bearer ${key}`])
      assert.equal(tokens.find(['authorization', value]), undefined, value)
  })

  test('a key of other letters than ASCII is the same bytes in a field', () => {
    const set = new HeaderTokens([{ ...token, sha256: hashToken('clé') }])
    assert.equal(set.find(['x-api-key', Buffer.from('clé').toString('latin1')])?.name, 'monitoring')
  })

  test('nothing else is', () => {
    for (const fields of [
      [],
      ['x-api-key', ''],
      ['x-api-key', ' '],
      ['x-api-key', token.sha256],
      ['x-api-key', `${key}${key}`],
      ['x-api-keys', key],
      ['cookie', key],
      ['x-api-key', 'x'.repeat(1_000_000)],
      Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'x-api-key' : i === 99 ? key : 'wrong')),
    ])
      assert.equal(tokens.find(fields), undefined)
    assert.equal(new HeaderTokens([]).find(['x-api-key', key]), undefined)
    const broken = new HeaderTokens([{ ...token, sha256: 'x' }])
    assert.equal(broken.find(['x-api-key', 'x']), undefined)
  })

  test('any value but the key is nobody', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (value) => {
        fc.pre(value.trim() !== key && value.trim() !== 'other')
        assert.equal(tokens.find(['x-api-key', value]), undefined)
      }),
    )
  })
})

const SECRET = 'keyboard cat'
const NOW_S = 1_795_000_000

/** As npm's cookie-signature and Express write it. */
function expressCookie(value: string, secret = SECRET): string {
  const signature = createHmac('sha256', secret).update(value).digest('base64').replace(/=+$/, '')
  return encodeURIComponent(`s:${value}.${signature}`)
}

const base64url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

function jwt(payload: unknown, header: unknown = { alg: 'HS256', typ: 'JWT' }, secret = SECRET): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

const express = new LoginCookie({ name: 'connect.sid', check: 'express-hmac', secret: SECRET })
const token = new LoginCookie({ name: 'session', check: 'jwt-hs256', secret: SECRET })
const alphabet = 'ABCabc012+/-_=.%: ~\u00e9\u0141'

/** `text` with one character changed, put in or taken out. */
const oneChange = (text: string) =>
  fc
    .tuple(
      fc.nat(text.length - 1),
      fc.constantFrom('change', 'insert', 'remove'),
      fc.constantFrom(...alphabet),
    )
    .map(
      ([at, how, c]) =>
        text.slice(0, at) + (how === 'remove' ? '' : c) + text.slice(how === 'insert' ? at : at + 1),
    )
    .filter((changed) => changed.trim() !== text)

describe('a login cookie', () => {
  test('is present by its name alone', () => {
    for (const [field, expected] of [
      ['connect.sid=x', true],
      ['a=1; connect.sid=x; b=2', true],
      ['a=1;connect.sid=x', true],
      ['a=1, connect.sid=x', true],
      ['connect.sid=""x', true],
      ['', false],
      ['connect.sid', false],
      ['connect.sid=', false],
      ['connect.sid=; a=1', false],
      ['xconnect.sid=1', false],
      ['connect.sidx=1', false],
      ['Connect.sid=1', false],
      ['a=connect.sid=1', false],
      ['connectXsid=1', false],
    ] as const)
      assert.equal(express.isPresent(field), expected, field)
  })

  test('of no check is never valid', () => {
    for (const check of LOGIN_CHECKS) {
      const name = 'session'
      const unkeyed = [new LoginCookie({ name, check }), new LoginCookie({ name, check, secret: '' })]
      const none = new LoginCookie({ name, check: 'none', secret: SECRET })
      for (const cookie of [...unkeyed, none])
        for (const value of [expressCookie('x'), expressCookie('x', ''), jwt({}), jwt({}, undefined, ''), ''])
          assert.equal(cookie.isValid(`session=${value}`, NOW_S), false)
    }
  })

  test('of Express is valid with its signature', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), (id) => {
        assert.equal(express.isValid(`a=b; connect.sid=${expressCookie(id)}; c=d`, NOW_S), true)
      }),
    )
    assert.equal(
      express.isValid(`connect.sid=s:abc.${decodeURIComponent(expressCookie('abc')).slice(6)}`, NOW_S),
      true,
    )
    assert.equal(express.isValid(`connect.sid="${expressCookie('abc')}"`, NOW_S), true)
  })

  test('of Express is not valid with one character changed', () => {
    const cookie = expressCookie('h8wG0v-1')
    fc.assert(
      fc.property(oneChange(cookie), (changed) => {
        let same = false
        try {
          // "%3a" and "%3A" are one character.
          same = decodeURIComponent(changed.trim()) === decodeURIComponent(cookie)
        } catch {}
        fc.pre(!same)
        assert.equal(express.isValid(`connect.sid=${changed}`, NOW_S), false, changed)
      }),
      { numRuns: 2000 },
    )
  })

  const signature = decodeURIComponent(expressCookie('abc')).slice(6)
  for (const [what, value] of [
    ['without a signature', 's:abc'],
    ['with an empty signature', 's:abc.'],
    ['not signed', 'abc'],
    ['of JSON', 'j:{"a":1}'],
    ['without the mark', `abc.${signature}`],
    ['with padding', `s:abc.${signature}=`],
    ['in the alphabet of URLs', `s:abc.${signature.replaceAll('+', '-').replaceAll('/', '_')}~`],
    ['in hexadecimal', `s:abc.${createHmac('sha256', SECRET).update('abc').digest('hex')}`],
    ['of SHA-1', `s:abc.${createHmac('sha1', SECRET).update('abc').digest('base64').replace('=', '')}`],
    ['of another secret', expressCookie('abc', 'keyboard dog')],
    ['of broken escapes', `${expressCookie('abc')}%`],
    ['escaped twice', encodeURIComponent(expressCookie('abc'))],
    ['of 5,000 characters', expressCookie('x'.repeat(5000))],
  ] as const) {
    test(`of Express ${what} is not valid`, () =>
      assert.equal(express.isValid(`connect.sid=${value}`, NOW_S), false))
  }

  test('of JWT is valid while it lasts', () => {
    const valid = (payload: unknown, nowS = NOW_S) => token.isValid(`session=${jwt(payload)}`, nowS)
    assert.equal(valid({ sub: 'é' }), true)
    assert.equal(valid({ exp: NOW_S + 60, nbf: NOW_S - 60 }), true)
    assert.equal(valid({ exp: NOW_S + 0.5 }), true)
    // Clocks are never quite alike.
    assert.equal(valid({ exp: NOW_S - 29 }), true)
    assert.equal(valid({ exp: NOW_S - 30 }), false)
    assert.equal(valid({ nbf: NOW_S + 30 }), true)
    assert.equal(valid({ nbf: NOW_S + 31 }), false)
    for (const exp of ['9999999999', null, true, [9e9], {}]) assert.equal(valid({ exp }), false)
    for (const nbf of ['0', null, false, []]) assert.equal(valid({ nbf }), false)
    for (const text of ['{"exp":1e999}', '{"nbf":-1e999}', '{"exp":-1e308}', '{"exp":0}', '{"nbf":1e308}'])
      assert.equal(valid(text), false, text)
    for (const text of ['[]', 'null', '1', '"x"', '', '{', '[[[['.repeat(500)])
      assert.equal(valid(text), false, text)
    assert.equal(valid('{"exp":1,"exp":9999999999}'), true)
  })

  test('of JWT is not valid with one character changed', () => {
    const cookie = jwt({ sub: '7', exp: NOW_S + 60 })
    fc.assert(
      fc.property(oneChange(cookie), (changed) => {
        assert.equal(token.isValid(`session=${changed}`, NOW_S), false, changed)
      }),
      { numRuns: 2000 },
    )
  })

  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rs256 = `${base64url({ alg: 'RS256' })}.${base64url({})}`
  const input = `${base64url({ alg: 'none' })}.${base64url({})}`
  const good = jwt({})
  for (const [what, value] of [
    ['that says it has no signature', `${input}.`],
    ['that says so and is signed', jwt({}, { alg: 'none' })],
    ['that says so in capitals', jwt({}, { alg: 'NONE' })],
    ['of HS512 by its header', jwt({}, { alg: 'HS512' })],
    ['of "hs256"', jwt({}, { alg: 'hs256' })],
    ['of a list of algorithms', jwt({}, { alg: ['HS256'] })],
    ['without an algorithm', jwt({}, { typ: 'JWT' })],
    ['with a list for a header', jwt({}, ['HS256'])],
    ['with extensions it must know', jwt({}, { alg: 'HS256', crit: ['b64'], b64: false })],
    ['of RSA', `${rs256}.${createSign('sha256').update(rs256).sign(privateKey, 'base64url')}`],
    ['of another secret', jwt({}, undefined, 'keyboard dog')],
    ['of two parts', good.slice(0, good.lastIndexOf('.'))],
    ['of four parts', `${good}.`],
    ['of five parts', `${good}.x.y`],
    ['of empty parts', '..'],
    ['with an empty payload', jwt('')],
    ['with padding', `${good}=`],
    ['of SHA-512', `${input}.${createHmac('sha512', SECRET).update(input).digest('base64url')}`],
    ['of 5,000 characters', jwt({ x: 'x'.repeat(5000) })],
    ['with blanks', good.replace('.', '. ')],
  ] as const) {
    test(`of JWT ${what} is not valid`, () => assert.equal(token.isValid(`session=${value}`, NOW_S), false))
  }

  test('of JWT signed with a public key as the secret is that secret’s only', () => {
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    assert.equal(token.isValid(`session=${jwt({}, undefined, pem)}`, NOW_S), false)
  })

  test('counts when a sibling domain planted others of its name before it', () => {
    const field = (others: number) => `${'session=forged; '.repeat(others)}session=${jwt({})}`
    assert.equal(token.isValid(field(1), NOW_S), true)
    assert.equal(token.isValid(field(3), NOW_S), true)
    // Four tries, however many there are.
    assert.equal(token.isValid(field(4), NOW_S), false)
    assert.equal(token.isValid(field(1000), NOW_S), false)
  })

  test('has one account, however often and beside whatever it is shown', () => {
    const one = jwt({ sub: '1' })
    const account = token.accountOf(`session=${one}`, NOW_S)
    assert.match(account ?? '', /^[\w-]{11}$/)
    assert.equal(token.accountOf(`a=1; session="${one}"; b=2`, NOW_S), account)
    assert.notEqual(token.accountOf(`session=${jwt({ sub: '2' })}`, NOW_S), account)
    assert.equal(token.accountOf(`session=${one}x`, NOW_S), undefined)
  })

  test('nothing sent makes it throw or lasts long', () => {
    const cookies = [express, token, new LoginCookie({ name: 'a', check: 'jwt-hs256', secret: SECRET })]
    const piece = fc.constantFrom(
      'session=',
      'connect.sid=',
      ';',
      ',',
      ' ',
      '"',
      '.',
      's:',
      's%3A',
      '%',
      '%ff',
      'a=',
      'é',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 40 }), fc.double(), (pieces, nowS) => {
        for (const cookie of cookies) {
          assert.equal(typeof cookie.isPresent(pieces.join('')), 'boolean')
          assert.equal(cookie.isValid(pieces.join(''), nowS), false)
        }
      }),
    )
    for (const long of ['a=', 'a', ' a', 'session=;', 'a=.', `a=${'.'.repeat(9)};`, `${' '.repeat(99)}a=x`])
      for (const cookie of cookies) cookie.isValid(long.repeat(20_000), NOW_S)
  })
})
