import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  endToEndFields,
  equalsIgnoringCase,
  fieldList,
  fieldValue,
  listHas,
  upgradeProtocol,
} from './fields.ts'
import { isForwardingField } from './forwarded.ts'

test('fields of this hop go, those that Connection names too, the others stay in order', () => {
  assert.deepEqual(
    endToEndFields([
      'B',
      '1',
      'Connection',
      'close, X-Hop',
      'x-hop',
      '2',
      'TE',
      'trailers',
      'Keep-Alive',
      '5',
      'Transfer-Encoding',
      'chunked',
      'Proxy',
      'evil',
      'A',
      '3',
    ]),
    ['B', '1', 'A', '3'],
  )
})

test('Connection cannot take away whose message it is or how long', () => {
  const fields = [
    'Connection',
    'Host, Content-Length, Cookie, close',
    'Host',
    'a',
    'Content-Length',
    '1',
    'Cookie',
    'c',
  ]
  assert.deepEqual(endToEndFields(fields), fields.slice(2))
})

test('look-up does not mind case, lists join, members are whole', () => {
  const fields = ['ACCEPT', 'a', 'X', 'b', 'accept', 'c']
  assert.equal(fieldValue(fields, 'accept'), 'a')
  assert.equal(fieldList(fields, 'accept'), 'a, c')
  assert.equal(fieldValue(fields, 'none'), undefined)
  assert.ok(listHas('keep-alive , UPGRADE', 'upgrade'))
  assert.ok(!listHas('upgrades', 'upgrade'))
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) =>
      assert.equal(
        equalsIgnoringCase(
          a,
          b.replace(/[A-Z]/g, (c) => c.toLowerCase()),
        ),
        a.replace(/[A-Z]/g, (c) => c.toLowerCase()) === b.replace(/[A-Z]/g, (c) => c.toLowerCase()),
      ),
    ),
  )
})

test('an upgrade needs both fields, and h2c is none', () => {
  assert.equal(upgradeProtocol(['Upgrade', 'websocket', 'Connection', 'keep-alive, Upgrade']), 'websocket')
  assert.equal(upgradeProtocol(['Upgrade', 'websocket']), undefined)
  for (const protocol of ['h2c', 'H2C', 'HTTP/2.0', 'websocket, h2c']) {
    assert.equal(upgradeProtocol(['Upgrade', protocol, 'Connection', 'Upgrade']), undefined)
  }
})

test('fields that speak for the client are known in every spelling that a CGI would read as them', () => {
  for (const name of [
    'Forwarded',
    'X-Forwarded-For',
    'x_forwarded_for',
    'X-Forwarded_Anything',
    'X-Real-IP',
    'True-Client-IP',
    'CF-Connecting-IP',
  ]) {
    assert.ok(isForwardingField(name), name)
  }
  for (const name of ['X-Forward', 'Fforwarded', 'X-Requested-With', 'Cache-Control', 'Traceparent'])
    assert.ok(!isForwardingField(name), name)
})
