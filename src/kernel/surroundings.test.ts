import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gateways4, gateways6, lookAround, peersOf, sshConnection } from './surroundings.ts'

test('gateways are read from the routing tables', () => {
  const route = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
`
  assert.deepEqual(gateways4(route), ['192.0.2.1'])
  const route6 = `20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth0
`
  assert.deepEqual(gateways6(route6), ['2001:0db8:0000:0000:0000:0000:0000:0001'])
})

test('far ends of established SSH sessions are read, of no other connections', () => {
  const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 076433C6:0016 070200C0:CB92 01 00000000:00000000 02:00000000 00000000     0        0 2 4
   2: 076433C6:01BB 080200C0:CB93 01 00000000:00000000 02:00000000 00000000     0        0 3 4
   3: 076433C6:0016 090200C0:CB94 06 00000000:00000000 02:00000000 00000000     0        0 3 4
   4: 0000000000000000FFFF0000076433C6:0016 0000000000000000FFFF00000A0200C0:CB92 01 00000000:00000000 02:0 0 0 0 2 4
   5: B80D0120000000000000000001000000:08AE B80D0120010002000000000007000000:CB92 01 00000000:00000000 02:0 0 0 0 2 4
`
  assert.deepEqual(peersOf(tcp, new Set([22])), ['192.0.2.7', '192.0.2.10'])
  assert.deepEqual(peersOf(tcp, new Set([0x8ae])), ['2001:db8:2:1::7'])
})

test('the session that Digue was started from counts, whatever its port', () => {
  assert.deepEqual(sshConnection('192.0.2.7 52114 198.51.100.1 2222'), { peer: '192.0.2.7', port: 2222 })
  for (const text of [undefined, '', 'x', 'x 1 y 2']) assert.deepEqual(sshConnection(text), {})
})

test('this machine’s loopback address is among its own', async () => {
  const { addresses } = await lookAround({ SSH_CONNECTION: '203.0.113.5 1 203.0.113.6 22' })
  assert.ok(addresses.includes('203.0.113.5'))
})
