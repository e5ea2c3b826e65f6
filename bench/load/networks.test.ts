import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loopback } from './loopback-only.ts'
import {
  accessLog,
  attackerAddresses,
  NETWORKS,
  networkOf,
  networksCsv,
  PROVIDERS,
  visitorAddresses,
  zipf,
} from './networks.ts'

test('the networks file has one line per network, in loopback and private ASNs, without overlap', () => {
  const lines = networksCsv().trimEnd().split('\n')
  assert.equal(lines.length, 5 + 12 + 200)
  const seen = new Set<string>()
  for (const line of lines) {
    const [cidr, asn, name, ...rest] = line.split(',')
    assert.equal(rest.length, 0)
    assert.match(cidr!, /^127\.\d+\.0\.0\/16$/)
    loopback(cidr!.replace('/16', ''))
    assert.ok(Number(asn) >= 64512 && Number(asn) <= 65534, line)
    assert.ok(name)
    assert.ok(!seen.has(cidr!), 'a /16 belongs to one network')
    seen.add(cidr!)
  }
  assert.equal(new Set(NETWORKS.map((n) => n.asn)).size, NETWORKS.length)
})

test('visitors are distinct, cluster in the first provider, and more of them keep the first ones', () => {
  const many = visitorAddresses(2000, 1)
  assert.equal(new Set(many).size, 2000)
  assert.deepEqual(visitorAddresses(100, 1), many.slice(0, 100))
  const inFirst = many.filter((a) => networkOf(a) === PROVIDERS[0]!.name).length / many.length
  assert.ok(inFirst > 0.38 && inFirst < 0.5, String(inFirst))
  assert.ok(new Set(many.map((a) => a.split('.').slice(0, 3).join('.'))).size <= 5 * 16)
})

test('attackers are distinct, never a visitor, and live where the source says', () => {
  const visitors = visitorAddresses(200, 1)
  for (const [source, kind, networks] of [
    ['hosting', 'hosting', 12],
    ['proxies', 'proxy', 200],
    ['providers', 'provider', 5],
  ] as const) {
    const attackers = attackerAddresses(source, 2000, 1, visitors)
    assert.equal(new Set([...attackers, ...visitors]).size, 2200)
    assert.equal(new Set(attackers.map(networkOf)).size, networks)
    for (const a of attackers) assert.ok(networkOf(loopback(a)).startsWith(kind))
  }
})

test('Zipf shares grow to one', () => {
  const shares = zipf(5)
  assert.ok(Math.abs(shares.at(-1)! - 1) < 1e-9)
  assert.ok(shares[0]! > 0.43 && shares[0]! < 0.44)
})

test('the past access log is in combined format', () => {
  for (const line of accessLog(['127.10.1.2'], 20, Date.UTC(2026, 0, 2))
    .trimEnd()
    .split('\n')) {
    assert.match(
      line,
      /^127\.10\.1\.2 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/article\/\d+ HTTP\/1\.1" 200 \d+ "-" "[^"]+"$/,
    )
  }
})
