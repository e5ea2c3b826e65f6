import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOfProc } from './proc-address.ts'

test('addresses of /proc/net are read, and what is none is none', () => {
  const cases = {
    '0100007F': '127.0.0.1',
    '00000000': '0.0.0.0',
    '00000000000000000000000000000000': '::',
    '00000000000000000000000001000000': '::1',
    '0000000000000000FFFF0000070200C0': '192.0.2.7',
    B80D0120000000000000000007000000: '2001:db8::7',
    '': '',
    '0100007': '',
    '0100007G': '',
  }
  for (const [hex, address] of Object.entries(cases)) assert.equal(addressOfProc(hex), address, hex)
})
