import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { buildNetworkSet, NetworkSet } from '#networks'
import { parseRange } from './range-writer.ts'
import { MOST_NETWORKS, type ReadList, type ReadRules, readList } from './read-list.ts'

const RULES: ReadRules = { format: 'auto', keepsLocal: false, widensV6: true }

function read(text: string | Buffer, rules: Partial<ReadRules> = {}): ReadList {
  const result = readList(Buffer.from(text as string), { ...RULES, ...rules })
  if ('fault' in result) assert.fail(result.fault)
  return result
}

function faultOf(text: string | Buffer, rules: Partial<ReadRules> = {}): string {
  const result = readList(Buffer.from(text as string), { ...RULES, ...rules })
  assert.ok('fault' in result, 'the list was taken')
  return result.fault
}

const setOf = (list: ReadList) =>
  new NetworkSet(buildNetworkSet([{ effect: 4, list: 0, ranges: list.ranges }]))

/** Each address, and whether it is in the list. */
function finds(list: ReadList, expected: Readonly<Record<string, boolean>>): void {
  const set = setOf(list)
  for (const [address, isIn] of Object.entries(expected))
    assert.equal(set.find(address) !== undefined, isIn, address)
}

describe('plain lists', () => {
  test('an address, network or range a line, with comments, byte order mark and CRLF', () => {
    const list = read(
      '\ufeff# FireHOL\r\n; Spamhaus\r\n// other\r\n\r\n192.0.2.1\r\n198.51.100.0/24 ; SBL1\r\n203.0.113.7 - 203.0.113.9\r\n2400:db8::/32 # v6\r\n5.6.7.8',
    )
    assert.equal(list.networks, 5)
    assert.equal(list.wrong, 0)
    finds(list, {
      '192.0.2.1': true,
      '192.0.2.2': false,
      '198.51.100.255': true,
      '203.0.113.6': false,
      '203.0.113.7': true,
      '203.0.113.9': true,
      '203.0.113.10': false,
      '2400:db8:ffff::1': true,
      '5.6.7.8': true,
    })
  })

  test('host bits are cleared, and a network may be written over its v4-mapped form', () => {
    finds(read('192.0.2.77/24\n::ffff:198.51.100.0/120\n'), {
      '192.0.2.0': true,
      '192.0.3.0': false,
      '198.51.100.9': true,
      '198.51.101.0': false,
    })
  })

  test('files of ipset, nginx, Apache and Tor', () => {
    const list = read(`create drop hash:net family inet hashsize 1024 maxelem 65536
add drop 192.0.2.0/24 timeout 300
add drop 192.0.2.128/25 nomatch
deny 198.51.100.1;
Require not ip 198.51.100.2
deny from 198.51.100.3
ExitNode 0011BD2485AD45D984EC4159C88FC066E5E3300E
Published 2026-11-23 10:00:00
LastStatus 2026-11-23 11:00:00
ExitAddress 203.0.113.5 2026-11-23 11:05:00
`)
    assert.equal(list.wrong, 0)
    assert.equal(list.networks, 5)
    finds(list, { '192.0.2.9': true, '198.51.100.2': true, '203.0.113.5': true })
  })

  test('first and last address in two columns are a range', () => {
    finds(read('192.0.2.0\t192.0.2.255\t24\t1234\n'), { '192.0.2.200': true, '192.0.3.0': false })
  })

  test('proxies with their ports', () => {
    const list = read('192.0.2.1:8080\nsocks5://192.0.2.2:1080\nhttp://192.0.2.3:80/\n[2400:db8::1]:3128\n')
    assert.equal(list.networks, 4)
    finds(list, { '192.0.2.3': true, '2400:db8::1': true })
  })

  test('one line in ten may be no network, and is told', () => {
    const good = Array.from({ length: 30 }, (_, i) => `192.0.2.${i}`)
    const list = read([...good, 'what is this', '192.0.2.1/33'].join('\n'))
    assert.equal(list.networks, 30)
    assert.equal(list.wrong, 2)
    assert.deepEqual(list.examples, ['line 31: "what is this"', 'line 32: "192.0.2.1/33"'])
    assert.match(
      faultOf([...good, 'a', 'b', 'c', 'd'].join('\n')),
      /^expected a list of networks, got 4 of 34 entries that are none \(line 31: "a"\)$/,
    )
  })

  test('a line that does not end is not kept, nor shown whole', () => {
    const good = Array.from({ length: 30 }, (_, i) => `192.0.2.${i}`).join('\n')
    const list = read(`${good}\n${'9'.repeat(1_000_000)}\n`)
    assert.equal(list.wrong, 1)
    assert.ok(list.examples[0]!.length < 100)
  })

  test('more networks than may be are none at all', () => {
    const lines = Array.from(
      { length: MOST_NETWORKS + 1 },
      (_, i) => `${11 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.1`,
    )
    assert.match(faultOf(lines.join('\n')), /^expected at most 500000 networks, got more$/)
    assert.equal(read(lines.slice(1).join('\n')).networks, MOST_NETWORKS)
  })
})

describe('CSV', () => {
  test('by the name of its column', () => {
    finds(
      read(
        '# abuse.ch\n"first_seen_utc","dst_ip","dst_port"\n"2026-01-01 10:00:00","192.0.2.1","443"\n"2026-01-01 10:00:00","192.0.2.2","443"\n',
      ),
      { '192.0.2.1': true, '192.0.2.2': true },
    )
    finds(read('asn;network\n64500;192.0.2.0/24\n', { format: 'csv' }), { '192.0.2.9': true })
    finds(read('start_ip,end_ip,country\n192.0.2.0,192.0.2.9,XX\n'), {
      '192.0.2.9': true,
      '192.0.2.10': false,
    })
  })

  test('a delimiter between quotes is text', () => {
    const list = read('owner,network,note\n"Example, Ltd.",192.0.2.0/24,"says ""no"", often"\n')
    assert.equal(list.wrong, 0)
    finds(list, { '192.0.2.1': true })
  })

  test('without a head, by what is in it', () => {
    const list = read('1,192.0.2.0/24,x\n2,198.51.100.0/24,y\n')
    assert.equal(list.networks, 2)
    finds(list, { '192.0.2.1': true, '198.51.100.1': true })
  })
})

describe('JSON', () => {
  test('one object a line, as Spamhaus has it', () => {
    const list = read(
      '{"cidr":"192.0.2.0/24","sblid":"SBL1","rir":"apnic"}\n{"cidr":"2400:db8::/32","sblid":"SBL2","rir":"ripencc"}\n{"type":"metadata","timestamp":1700000000,"size":2,"records":2,"copyright":"(c)","terms":"https://example.org/"}\n',
    )
    assert.equal(list.networks, 2)
    assert.equal(list.wrong, 0)
    finds(list, { '192.0.2.1': true, '2400:db8::1': true })
  })

  test('documents of cloud providers, and plain arrays', () => {
    const aws = {
      syncToken: '1700000000',
      prefixes: [{ ip_prefix: '192.0.2.0/24', region: 'x', service: 'S3' }],
      ipv6_prefixes: [{ ipv6_prefix: '2400:db8::/32' }],
    }
    assert.equal(read(JSON.stringify(aws, undefined, 2)).networks, 2)
    const google = { prefixes: [{ ipv4Prefix: '192.0.2.0/24' }, { ipv6Prefix: '2400:db8::/32' }] }
    assert.equal(read(JSON.stringify(google)).networks, 2)
    const cloudflare = {
      result: { ipv4_cidrs: ['192.0.2.0/24'], ipv6_cidrs: ['2400:db8::/32'] },
      success: true,
    }
    assert.equal(read(JSON.stringify(cloudflare)).networks, 2)
    const azure = { values: [{ properties: { addressPrefixes: ['192.0.2.0/24', '198.51.100.0/24'] } }] }
    assert.equal(read(JSON.stringify(azure)).networks, 2)
    const github = {
      hooks: ['192.0.2.0/24'],
      ssh_keys: ['ssh-ed25519 AAAA'],
      domains: { a: ['*.example.org'] },
    }
    assert.equal(read(JSON.stringify(github)).networks, 1)
    assert.equal(read('["192.0.2.1","192.0.2.2"]').networks, 2)
    assert.equal(read('[]').networks, 0)
  })

  test('a version that looks like an address is none, where its key does not say so', () => {
    assert.equal(read('{"version":"1.2.3.4","prefixes":["192.0.2.0/24"]}').networks, 1)
  })

  test('a document that would take too much memory is not parsed, nor one that is nested without end', () => {
    assert.match(
      faultOf(`[${'[],'.repeat(6_000_000)}[]]`),
      /^expected at most 16 MB of JSON in one document, got 19 MB/,
    )
    const deep = `${'['.repeat(100_000)}"192.0.2.1"${']'.repeat(100_000)}`
    const result = readList(Buffer.from(deep), RULES)
    assert.ok('fault' in result || result.networks === 0)
    assert.equal(read(`{"ip":"192.0.2.1"}\n{"ip":"192.0.2.2"}\n`).networks, 2)
  })

  test('what holds no network is told, and so is what is no JSON', () => {
    assert.match(faultOf('["a.example.org","b.example.org"]'), /without any \("a.example.org"\)/)
    assert.match(faultOf('{"error":"not found", x'), /^expected JSON, got/)
    assert.match(faultOf('{"ip":"nonsense"}'), /1 of 1 entries/)
  })
})

describe('what is no list', () => {
  test('a page, zero bytes, host names', () => {
    assert.match(
      faultOf('\n<!DOCTYPE html>\n<html><body>Rate limited</body></html>'),
      /^expected a list of networks, got a page \("<!DOCTYPE html>"\)$/,
    )
    assert.match(faultOf(Buffer.from([1, 0, 2, 3])), /zero bytes/)
    assert.match(faultOf('example.org\nexample.net\n'), /2 of 2 entries/)
  })

  test('gzip is unpacked, twice if need be, and never beyond the bound', () => {
    const list = gzipSync('192.0.2.1\n')
    assert.equal(read(list).networks, 1)
    assert.equal(read(gzipSync(list)).networks, 1)
    assert.match(faultOf(list.subarray(0, list.length - 6)), /damaged/)
    assert.match(
      faultOf(gzipSync(Buffer.alloc(65_000_000, 10))),
      /^expected at most 64 MB unpacked, got more$/,
    )
  })
})

describe('whom no list names', () => {
  test('everybody, and whoever is only in this house', () => {
    const list = read(
      '0.0.0.0/0\n::/0\n2000::/3\n16.0.0.0/5\n10.0.0.0/8\n127.0.0.1\n224.0.0.0/3\nfe80::/10\nfc00::/7\n::1\n5.6.7.8\n',
    )
    assert.equal(list.networks, 1)
    assert.equal(list.wide, 4)
    assert.equal(list.local, 6)
    finds(list, { '5.6.7.8': true, '192.0.2.1': false, '10.0.0.1': false, '2400::1': false })
  })

  test('what is local is cut out of a wider network', () => {
    const list = read('172.0.0.0/8\n')
    assert.equal(list.networks, 1)
    assert.equal(list.local, 1)
    finds(list, {
      '172.15.255.255': true,
      '172.16.0.0': false,
      '172.31.255.255': false,
      '172.32.0.0': true,
      '172.255.255.255': true,
    })
  })

  test('the operator may name his own house', () => {
    finds(read('10.0.0.0/8\n::1\n', { keepsLocal: true }), { '10.1.2.3': true, '::1': true })
    assert.equal(read('0.0.0.0/0\n10.0.0.1\n', { keepsLocal: true }).wide, 1)
  })

  test('a v6 address stands for its /64, unless it is to be let in', () => {
    finds(read('2400:db8::7\n'), { '2400:db8::8': true, '2400:db8:0:1::': false })
    finds(read('2400:db8::7\n', { widensV6: false }), { '2400:db8::7': true, '2400:db8::8': false })
  })
})

test('whatever bytes come, nothing throws and nothing local is taken', () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom('\n', '\r\n', ',', ';', '{', '}', '[', ']', '"', '-', '/', ':', '#', '<', '\ufeff'),
    fc.ipV4(),
    fc.ipV6(),
    fc.tuple(fc.ipV4(), fc.nat(40)).map(([address, bits]) => `${address}/${bits}\n`),
    fc.tuple(fc.ipV4(), fc.ipV4()).map(([a, b]) => `${a}-${b}\n`),
    fc.json(),
  )
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.constantFrom('auto', 'plain', 'csv', 'json'),
      (pieces, format) => {
        const result = readList(Buffer.from(pieces.join('')), { ...RULES, format })
        if ('fault' in result) return
        const set = setOf(result)
        for (const address of [
          '10.1.2.3',
          '127.0.0.1',
          '192.168.1.1',
          '169.254.169.254',
          '255.255.255.255',
          '::1',
          'fe80::1',
        ])
          assert.equal(set.find(address), undefined, address)
      },
    ),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void readList(Buffer.from(bytes), RULES)),
  )
  fc.assert(fc.property(fc.string(), (text) => void parseRange(text)))
})
