import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { type ClientHello, parseClientHello } from '#recognise'
import { selfSigned } from './self-signed.ts'
import { newTicketKeySet } from './ticket-keys.ts'
import { TlsContexts } from './tls-contexts.ts'

function helloFor(serverName: string): ClientHello {
  const bare = [1, 0, 0, 0x29, 3, 3, ...new Array<number>(32).fill(0), 0, 0, 2, 0x13, 1, 1, 0]
  const result = parseClientHello(Buffer.from([22, 3, 1, 0, bare.length, ...bare]))
  assert.equal(result.kind, 'hello')
  return { ...(result as { hello: ClientHello }).hello, serverName }
}

const SITES = [['a.example.org', 'www.a.example.org'], ['*.example.org'], ['*.b.example.org'], ['*']].map(
  (hosts) => selfSigned(hosts),
)

test('each name meets its site: exact, then the longest wildcard, then "*"', () => {
  const contexts = new TlsContexts(SITES, newTicketKeySet())
  const expected = new Map([
    ['a.example.org', 0],
    ['www.a.example.org', 0],
    ['x.example.org', 1],
    ['x.y.example.org', 1],
    ['x.b.example.org', 2],
    ['b.example.org', 1],
    ['example.org', 3],
    ['', 3],
    ['other.example.net', 3],
  ])
  const seen = new Map<unknown, number>()
  for (const [name, index] of expected) {
    const context = contexts.contextFor(helloFor(name))
    assert.ok(context)
    if (!seen.has(context)) seen.set(context, index)
    assert.equal(seen.get(context), index, name)
  }
  assert.equal(seen.size, 4)
})

test('replacing one certificate keeps the contexts of the others', () => {
  const contexts = new TlsContexts(SITES, newTicketKeySet())
  const [a, b] = [
    contexts.contextFor(helloFor('a.example.org')),
    contexts.contextFor(helloFor('x.example.org')),
  ]
  contexts.replace([selfSigned(['a.example.org']), ...SITES.slice(1)])
  assert.notEqual(contexts.contextFor(helloFor('a.example.org')), a)
  assert.equal(contexts.contextFor(helloFor('x.example.org')), b)
})

test('one broken certificate replaces nothing', () => {
  const contexts = new TlsContexts(SITES, newTicketKeySet())
  const before = contexts.contextFor(helloFor('a.example.org'))
  assert.throws(
    () =>
      contexts.replace([
        selfSigned(['a.example.org']),
        { hosts: ['b.example.org'], certificate: 'x', key: 'y' },
      ]),
    {
      code: 'DIGUE_CERTIFICATE',
    },
  )
  assert.equal(contexts.contextFor(helloFor('a.example.org')), before)
})

test('without certificates there is no context', () => {
  assert.equal(new TlsContexts([], newTicketKeySet()).contextFor(helloFor('')), undefined)
})

test('a self-signed certificate is one that OpenSSL reads back whole', () => {
  const site = selfSigned(['a.example.org', '*.b.example.org', '192.0.2.7', '*'])
  const certificate = new X509Certificate(site.certificate)
  assert.ok(certificate.verify(certificate.publicKey))
  assert.equal(certificate.checkHost('a.example.org'), 'a.example.org')
  assert.ok(certificate.checkHost('x.b.example.org'))
  assert.equal(certificate.checkIP('192.0.2.7'), '192.0.2.7')
  assert.equal(certificate.checkHost('c.example.org'), undefined)
  assert.equal(certificate.ca, false)
  assert.equal(certificate.signatureAlgorithm, 'ecdsa-with-SHA256')
  assert.ok(Date.parse(certificate.validFrom) < Date.now() && Date.parse(certificate.validTo) > Date.now())
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'])
})

test('a certificate of any length is whole', () => {
  for (let length = 1; length < 60; length++) {
    const site = selfSigned([`${'a'.repeat(length)}.example.org`])
    assert.ok(new TlsContexts([site], newTicketKeySet()).contextFor(helloFor('')))
  }
})
