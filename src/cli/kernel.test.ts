import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfigValue } from '#config'
import type { KernelStatus } from '#kernel'
import { kernelHelper, kernelStatusText, tableSettings } from './kernel.ts'
import { CliError } from './output.ts'

function config(value: object) {
  const result = readConfigValue({ sites: [{ host: '*', origin: 'http://127.0.0.1:3000' }], ...value }, {})
  assert.ok(result.ok, JSON.stringify(result))
  return result.config
}

const STATUS: KernelStatus = {
  state: 'active',
  reason: '',
  via: 'socket',
  told: 3,
  pending: 0,
  ignored: 0,
  table: {
    table: 'inet digue',
    mode: 'own',
    state: 'active',
    owned: true,
    fault: '',
    entries: { v4: 2, v6: 1, most: 65_536 },
    ports: [80, 443],
    waiting: 0,
    packets: 1200,
    bytes: 72_000,
    added: 3,
    full: 0,
    refused: { 'not-an-address': 0, reserved: 1, listed: 1, own: 0 },
    remade: 0,
  },
}

test('proxies before Digue and the operator’s own are never dropped, and only Digue’s ports are guarded', () => {
  const settings = tableSettings(
    config({
      listen: [':80', { port: 81, proxyProtocol: ['198.51.100.0/24'] }, ':0'],
      trustedProxies: ['203.0.113.7'],
      kernel: { never: ['192.0.2.0/24'] },
    }),
  )
  assert.deepEqual(settings, {
    mode: 'own',
    table: 'digue',
    maxEntries: 65_536,
    ports: [80, 81],
    never: ['192.0.2.0/24', '203.0.113.7', '198.51.100.0/24'],
  })
})

test('the operator’s ports go before those that are listened on', () => {
  const { ports, mode } = tableSettings(config({ kernel: { ports: [443, 443], mode: 'set-only' } }), [8443])
  assert.deepEqual(ports, [443])
  assert.equal(mode, 'set-only')
  assert.deepEqual(tableSettings(config({}), [8443, 8443]).ports, [8443])
})

test('the status says how many are dropped, or why nobody is', () => {
  const text = kernelStatusText(STATUS)
  assert.match(text, /^Active/)
  assert.match(text, /inet digue, which ends with the helper/)
  assert.match(text, /IPv4 addresses +2/)
  assert.match(text, /dropped packets +1200/)
  const { table: _, ...rest } = STATUS
  const none = kernelStatusText({
    ...rest,
    table: undefined,
    state: 'unavailable',
    reason: 'no helper at /run/x (ENOENT)\u001b[2J',
    ignored: 7,
  })
  for (const part of [/^Not available/, /ENOENT/, /7 were left to Digue/]) assert.match(none, part)
  assert.doesNotMatch(none, /\u001b/)
})

test('a helper without a configuration does not start', async () => {
  const terminal = { out: () => {}, error: () => {} }
  await assert.rejects(kernelHelper({ config: '/nonexistent/digue.yaml' }, terminal), CliError)
})
