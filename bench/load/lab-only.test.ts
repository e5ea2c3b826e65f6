import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lab, type NetworkHere } from './lab-only.ts'
import { NotLoopbackError } from './loopback-only.ts'

const LAB: NetworkHere = {
  isParents: false,
  interfaces: ['lo', 'digue-lab1'],
  routes4: 'Iface\tDestination\tGateway\ndigue-lab1\t000012C6\t00000000\ndigue-lab1\t000013C6\t00000000\n',
  routes6:
    '20010db8000100000000000000000000 40 0 00 0 0 0 0 0 digue-lab1\n00000000000000000000000000000000 00 0 00 0 0 0 0 0       lo\n',
}

const allowed = (address: unknown, here: Partial<NetworkHere> = {}) => {
  try {
    return lab(address, () => ({ ...LAB, ...here })) === address
  } catch (error) {
    assert.ok(error instanceof NotLoopbackError)
    return false
  }
}

test('a lab’s addresses pass in a lab', () => {
  for (const address of ['198.18.0.1', '198.19.255.254', '2001:db8:1::1'])
    assert.ok(allowed(address), address)
})

test('nobody else’s address passes, in a lab either', () => {
  for (const address of [
    '198.17.0.1',
    '198.20.0.1',
    '192.0.2.1',
    '127.0.0.1',
    '2001:db9::1',
    '2001:4860::1',
    '198.18.0.1.example.org',
    'localhost',
    '198.18.0.1/15',
    '',
    undefined,
  ])
    assert.ok(!allowed(address), String(address))
})

test('where packets could leave, nothing passes', () => {
  const places: Partial<NetworkHere>[] = [
    { isParents: true },
    { interfaces: ['lo', 'digue-lab1', 'eth0'] },
    // A default route, a route to somebody's network, and the same for version 6.
    { routes4: `${LAB.routes4}digue-lab1\t00000000\t010012C6\n` },
    { routes4: `${LAB.routes4}digue-lab1\t000200C0\t00000000\n` },
    { routes6: `${LAB.routes6}00000000000000000000000000000000 00 0 00 0 0 0 0 0 digue-lab1\n` },
    { routes6: `${LAB.routes6}20014860000000000000000000000000 20 0 00 0 0 0 0 0 digue-lab1\n` },
  ]
  for (const place of places) assert.ok(!allowed('198.18.0.1', place), JSON.stringify(place))
})

test('here, on the machine itself, nothing passes', () => {
  assert.throws(() => lab('198.18.0.1'), NotLoopbackError)
})
