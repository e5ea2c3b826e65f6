import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KeyRing } from './keys.ts'
import {
  FORM_S,
  labelOf,
  MOST_FORM_BYTES,
  maySeal,
  openForm,
  type SealedForm,
  sealForm,
} from './sealed-form.ts'

const keys = new KeyRing(Buffer.alloc(32, 3))
const nowS = 1_800_000_000
const site = 'example.org'
const type = ['Content-Type', 'application/x-www-form-urlencoded'] as const
const form: SealedForm = {
  target: '/login?next=%2F',
  fields: ['Cookie', 'session=1', 'Origin', 'https://example.org', ...type],
  body: Buffer.from('name=alice&word=secret'),
}
const sealed = sealForm(keys, site, form, nowS)

const label = (fields: string[], authority = 'example.org', secure = true) =>
  labelOf(fields, authority, secure)
const may = (fields: readonly string[], bytes = 10, method = 'POST') =>
  maySeal({ method, target: '/', fields: [...type, ...fields] }, 'example.org', true, bytes)
const mayOfType = (value: string) =>
  maySeal(
    { method: 'POST', target: '/', fields: ['content-type', value, 'sec-fetch-site', 'same-origin'] },
    'example.org',
    true,
    1,
  )
const opened = (text: string) => {
  const result = openForm(keys, site, text, nowS)
  assert.ok(typeof result === 'object')
  return result
}

describe('who sent a form', () => {
  test('what the browser labels same-origin is the site’s own', () => {
    assert.equal(label(['Sec-Fetch-Site', 'same-origin']), 'same-origin')
    assert.equal(label(['Sec-Fetch-Site', 'same-origin', 'Origin', 'https://example.org']), 'same-origin')
  })

  test('a site that sends no referrer still gets its own forms', () => {
    assert.equal(label(['Sec-Fetch-Site', 'same-origin', 'Origin', 'null']), 'same-origin')
  })

  test('another site’s, a sibling’s and a sandboxed frame’s are not', () => {
    assert.equal(label(['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://evil.example']), 'cross-site')
    assert.equal(label(['Sec-Fetch-Site', 'same-site', 'Origin', 'https://www.example.org']), 'cross-site')
    assert.equal(label(['Sec-Fetch-Site', 'cross-site', 'Origin', 'null']), 'cross-site')
    assert.equal(label(['Sec-Fetch-Site', 'same-origin', 'Origin', 'https://evil.example']), 'cross-site')
  })

  test('without Fetch Metadata Origin decides, and it must be there', () => {
    assert.equal(label(['Origin', 'https://example.org']), 'same-origin')
    assert.equal(label(['Origin', 'null']), 'cross-site')
    assert.equal(label(['Origin', 'https://example.org.evil.example']), 'cross-site')
    assert.equal(label([]), 'unlabelled')
    assert.equal(label(['Referer', 'https://example.org/']), 'unlabelled')
    assert.equal(label(['Sec-Fetch-Site', 'none', 'Origin', 'https://example.org']), 'unlabelled')
  })

  test('scheme and port belong to an origin', () => {
    assert.equal(label(['Origin', 'http://example.org']), 'cross-site')
    assert.equal(label(['Origin', 'http://example.org'], 'example.org', false), 'same-origin')
    assert.equal(label(['Origin', 'https://example.org:8443']), 'cross-site')
    assert.equal(label(['Origin', 'https://example.org:8443'], 'Example.org:8443'), 'same-origin')
    assert.equal(label(['Origin', 'https://example.org'], 'example.org:443'), 'same-origin')
    assert.equal(label(['Origin', 'http://[2001:db8::1]:8080'], '[2001:db8::1]:8080', false), 'same-origin')
  })

  test('two labels are none', () => {
    const own = ['Origin', 'https://example.org']
    assert.equal(label(['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'same-origin']), 'cross-site')
    assert.equal(label([...own, ...own]), 'cross-site')
    assert.equal(
      label(['Sec-Fetch-Site', 'same-origin', ...own, 'origin', 'https://evil.example']),
      'cross-site',
    )
  })
})

describe('what may be sealed', () => {
  const own = ['Sec-Fetch-Site', 'same-origin']

  test('a form of the site’s own, of every encoding a form can have', () => {
    assert.equal(may(own), 'seal')
    for (const value of [
      'multipart/form-data; boundary=x',
      'TEXT/PLAIN',
      'application/x-www-form-urlencoded;charset=UTF-8',
    ])
      assert.equal(mayOfType(value), 'seal')
  })

  test('cross-site and unlabelled forms never are', () => {
    assert.equal(may(['Sec-Fetch-Site', 'cross-site']), 'cross-site')
    assert.equal(may([]), 'unlabelled')
  })

  test('what is no form is not', () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'post'])
      assert.equal(may(own, 1, method), 'not-a-form')
    for (const value of ['application/json', 'application/x-www-form-urlencodedx', ''])
      assert.equal(mayOfType(value), 'not-a-form')
    assert.equal(may([...own, 'Content-Encoding', 'gzip']), 'not-a-form')
  })

  test('what is too large is not', () => {
    assert.equal(may(own, MOST_FORM_BYTES), 'seal')
    assert.equal(may(own, MOST_FORM_BYTES + 1), 'too-large')
    assert.equal(may([...own, 'Cookie', 'x'.repeat(13_000)]), 'too-large')
    assert.equal(may([...own, ...Array.from({ length: 100 }, () => ['Cookie', 'x']).flat()]), 'too-large')
    assert.equal(may([...own, 'X-Whatever', 'x'.repeat(13_000)]), 'seal')
  })
})

describe('sealed form', () => {
  test('it comes back as it was', () => {
    const { id, ...rest } = opened(sealed)
    assert.match(id, /^[\w-]{11}$/)
    assert.deepEqual(rest, form)
  })

  test('every form comes back as it was, and its text needs no escaping', () => {
    const value = fc.string({ unit: fc.constantFrom(...'abc é=;,ÿ'), maxLength: 40 })
    const names = fc.constantFrom('Cookie', 'origin', 'Sec-Fetch-Mode', 'Referer', 'User-Agent', 'ACCEPT')
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'/ab%20?='), maxLength: 200 }),
        fc.array(fc.tuple(names, value), { maxLength: 20 }),
        fc.uint8Array({ maxLength: 2000 }),
        (target, pairs, bytes) => {
          const text = sealForm(keys, site, { target, fields: pairs.flat(), body: Buffer.from(bytes) }, nowS)
          assert.match(text, /^[\w-]+$/)
          const { body, ...rest } = opened(text)
          assert.equal(rest.target, target)
          assert.deepEqual(rest.fields, pairs.flat())
          assert.ok(body.equals(bytes))
        },
      ),
    )
  })

  test('the largest that may be sealed can be opened', () => {
    const fields = [...type, 'Sec-Fetch-Site', 'same-origin', 'Cookie', 'c'.repeat(12_000)]
    const head = { method: 'POST', target: '/', fields }
    assert.equal(maySeal(head, site, true, MOST_FORM_BYTES), 'seal')
    opened(sealForm(keys, site, { ...head, body: Buffer.alloc(MOST_FORM_BYTES, 255) }, nowS))
  })

  test('any bit that is changed is found out', () => {
    const bytes = Buffer.from(sealed, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(openForm(keys, site, changed.toString('base64url'), nowS), 'forged')
    }
  })

  test('a second spelling of the same seal is none', () => {
    for (const text of [`${sealed}=`, ` ${sealed}`, `${sealed}\n`])
      assert.equal(openForm(keys, site, text, nowS), 'malformed')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // The spare bits of the last character, of which there are none, two or four.
    for (const bytes of [0, 1, 2]) {
      const text = sealForm(keys, site, { ...form, body: Buffer.alloc(bytes) }, nowS)
      for (const last of alphabet)
        if (!text.endsWith(last))
          assert.equal(typeof openForm(keys, site, text.slice(0, -1) + last, nowS), 'string')
    }
  })

  test('another site, another key and a seal for something else do not open', () => {
    assert.equal(openForm(keys, 'www.example.org', sealed, nowS), 'forged')
    assert.equal(openForm(new KeyRing(Buffer.alloc(32, 4)), site, sealed, nowS), 'forged')
    const other = keys.seal(Buffer.from('something'), 'something else', nowS).toString('base64url')
    assert.equal(openForm(keys, site, other, nowS), 'forged')
  })

  test('it is good for fifteen minutes', () => {
    assert.equal(typeof openForm(keys, site, sealed, nowS + FORM_S), 'object')
    assert.equal(openForm(keys, site, sealed, nowS + FORM_S + 1), 'expired')
    assert.equal(openForm(keys, site, sealForm(keys, site, form, nowS + 31), nowS), 'future')
  })

  test('its id is its own, and the same however often it is opened', () => {
    assert.equal(opened(sealed).id, opened(sealed).id)
    assert.notEqual(opened(sealForm(keys, site, form, nowS)).id, opened(sealed).id)
    assert.equal(opened(sealForm(keys, site, form, nowS, Buffer.alloc(8))).id, 'AAAAAAAAAAA')
  })

  test('credentials, forwarding fields and what ends at a hop are left out', () => {
    const fields = [
      ...['Authorization', 'Basic x', 'Proxy-Authorization', 'x', 'X-Forwarded-For', '192.0.2.1'],
      ...[
        'Forwarded',
        'for=192.0.2.1',
        'X-Real-IP',
        '192.0.2.1',
        'Host',
        'evil.example',
        'Content-Length',
        '5',
      ],
      ...['Transfer-Encoding', 'chunked', 'Connection', 'user-agent', 'User-Agent', 'x'],
      ...['X-HTTP-Method-Override', 'DELETE', 'Accept-Encoding', 'br', 'Range', 'bytes=0-'],
      ...['Expect', '100-continue', 'Cookie', 'session=1'],
    ]
    assert.deepEqual(opened(sealForm(keys, site, { ...form, fields }, nowS)).fields, ['Cookie', 'session=1'])
  })

  test('anything else that comes is a fault and never an exception', () => {
    for (const junk of ['', 'A', 'AAAA', '====', 'x'.repeat(100_000), 'é'.repeat(50)])
      assert.equal(typeof openForm(keys, site, junk, nowS), 'string')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.equal(typeof openForm(keys, site, Buffer.from(bytes).toString('base64url'), nowS), 'string')
      }),
    )
  })
})
