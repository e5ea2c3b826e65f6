import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { asking, get } from './cache.fixture.ts'
import { cacheKey, invalidated } from './key.ts'

describe('the primary key (RFC 9111 §2)', () => {
  test('is scheme, host with port as sent, and target', () => {
    assert.equal(cacheKey(get('/a?b=c'), false), 'http://www.example.org/a?b=c')
    assert.equal(cacheKey(get('/a?b=c'), true), 'https://www.example.org/a?b=c')
    const request = {
      method: 'HEAD',
      target: '/A',
      version: '1.1',
      host: 'www.example.org',
      fields: ['host', 'WWW.Example.org:8443'],
    } as const
    assert.equal(cacheKey(request, true), 'https://www.example.org:8443/A')
    assert.equal(cacheKey({ ...request, fields: [] }, true), 'https://www.example.org/A')
  })

  test('other methods, bodies, changes of protocol and long targets have none', () => {
    for (const method of ['POST', 'PUT', 'OPTIONS', 'M-SEARCH', 'get'])
      assert.equal(cacheKey(asking(method, '/'), true), undefined)
    assert.equal(cacheKey(get('*'), true), undefined)
    assert.equal(cacheKey(get(`/?${'a'.repeat(64_000)}`), true), undefined)
    assert.equal(cacheKey(get('/', 'Content-Length', '3'), true), undefined)
    assert.equal(cacheKey(get('/', 'Transfer-Encoding', 'chunked'), true), undefined)
    assert.equal(cacheKey(get('/', 'Upgrade', 'websocket', 'Connection', 'Upgrade'), true), undefined)
    assert.notEqual(cacheKey(get('/', 'Content-Length', '0'), true), undefined)
    assert.notEqual(cacheKey(get('/', 'Upgrade', 'h2c', 'Connection', 'Upgrade'), true), undefined)
  })

  test('a field by which a framework reads another method or host leads past the cache', () => {
    for (const name of [
      'X-HTTP-Method-Override',
      'x-http-method',
      'X-Method-Override',
      'X_HTTP_Method_Override',
      'X-Host',
      'X-Original-Host',
      'X-HTTP-Host-Override',
    ])
      assert.equal(cacheKey(get('/', name, 'x'), true), undefined, name)
  })
})

describe('invalidation (RFC 9111 §4.4)', () => {
  const own = 'http://www.example.org/a/b'
  const keys = (method: string, status: number, ...fields: string[]) =>
    invalidated(asking(method, '/a/b'), false, { status, fields })

  test('an unsafe request that succeeded invalidates its own URI, an unknown method too', () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH'])
      assert.deepEqual(keys(method, 200), [own])
    assert.deepEqual(keys('POST', 303), [own])
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) assert.deepEqual(keys(method, 200), [])
    for (const status of [100, 400, 404, 500]) assert.deepEqual(keys('POST', status), [])
  })

  test('and those that Location and Content-Location name, of the same origin', () => {
    const base = 'http://www.example.org'
    for (const [reference, key] of [
      ['/c?d', `${base}/c?d`],
      ['c', `${base}/a/c`],
      ['../c#d', `${base}/c`],
      ['/x/../c', `${base}/c`],
      ['http://www.example.org/c', `${base}/c`],
      ['http://WWW.EXAMPLE.ORG:80/c', `${base}/c`],
      ['//www.example.org/c', `${base}/c`],
    ] as const) {
      assert.deepEqual(keys('POST', 201, 'Location', reference), [own, key], reference)
      assert.deepEqual(keys('POST', 201, 'Content-Location', reference), [own, key], reference)
    }
  })

  test('another origin is nobody whose pages this answer could invalidate', () => {
    for (const reference of [
      'https://www.example.org/c',
      'http://example.org/c',
      '//example.net/c',
      '/\\example.net/c',
      'http://www.example.org:81/c',
      'javascript:x',
      'http://',
      `/${'a'.repeat(9000)}`,
    ])
      assert.deepEqual(keys('POST', 201, 'Location', reference), [own], reference.slice(0, 30))
  })
})
