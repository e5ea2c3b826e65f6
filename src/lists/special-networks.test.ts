import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseAddress } from '#networks'
import { isPublicAddress } from './special-networks.ts'

test('a list is fetched from public addresses only', () => {
  for (const text of ['1.1.1.1', '8.8.8.8', '2606:4700::1111', '64:ff9b::808:808'])
    assert.ok(isPublicAddress(parseAddress(text)!), text)
  for (const text of [
    '0.0.0.0',
    '127.0.0.1',
    '10.0.0.1',
    '100.100.100.200',
    '169.254.169.254',
    '172.31.0.1',
    '192.168.1.1',
    '192.0.0.192',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::7f00:1',
    'fe80::1',
    'fd00:ec2::254',
    'ff02::1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
    '2001:db8::1',
  ])
    assert.ok(!isPublicAddress(parseAddress(text)!), text)
})
