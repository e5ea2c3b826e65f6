import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { formatAddress } from './address.ts'
import { type Cidr, parseCidr } from './cidr.ts'
import { identify } from './client-address.ts'
import { readNetworkMmdb } from './network-mmdb.ts'
import { openNetworks } from './open-networks.ts'

type Value = string | number | { [key: string]: Value }

describe('readNetworkMmdb', () => {
  let folder: string
  let file: string

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'digue-mmdb-'))
    file = path.join(folder, 'asn.mmdb')
    await writeFile(
      file,
      buildMmdb({
        '0.0.0.0/8': { autonomous_system_number: 64499 },
        '192.0.2.0/24': { autonomous_system_number: 64500, autonomous_system_organization: 'First' },
        '198.51.100.128/25': { asn: 'AS64501', as_name: 'Second' },
        '255.255.255.255/32': { asn: '64502' },
        '2001:db8::/32': { autonomous_system_number: 64503, autonomous_system_organization: 'Third' },
        '2001:db9:0:1::/64': { autonomous_system_number: 64504 },
        '3fff:ffff::/32': { autonomous_system_number: 64505 },
        '2600::/16': { country_code: 'XX' },
      }),
    )
  })
  after(() => rm(folder, { recursive: true }))

  test('visits every network of both versions once, and no alias of the v4 part', async () => {
    const ranges = await readNetworkMmdb(file)
    assert.deepEqual(
      ranges.map((range) => `${formatAddress(range.first)} ${range.asn} ${range.name}`.trim()),
      [
        '0.0.0.0 64499',
        '192.0.2.0 64500 First',
        '198.51.100.128 64501 Second',
        '255.255.255.255 64502',
        '2001:db8:: 64503 Third',
        '2001:db9:0:1:: 64504',
        '3fff:ffff:: 64505',
      ],
    )
  })

  test('openNetworks answers from it as from any table', async () => {
    const { table, source, names, faults } = await openNetworks(file)
    assert.deepEqual([source, faults], ['operator', []])
    const expected: [string, number][] = [
      ['0.255.255.255', 64499],
      ['1.0.0.0', 0],
      ['192.0.2.255', 64500],
      ['198.51.100.127', 0],
      ['198.51.100.255', 64501],
      ['255.255.255.255', 64502],
      ['2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 64503],
      ['2001:db9:0:1:ffff::', 64504],
      ['2001:db9:0:2::', 0],
      ['2002:c000:0201::1', 0],
      ['2600::1', 0],
    ]
    for (const [text, asn] of expected) assert.equal(identify(text, table).asn, asn, text)
    assert.equal((await names()).get(64501), 'Second')
  })

  test('a damaged file is refused or read short, never followed forever', async () => {
    const good = buildMmdb({ '192.0.2.0/24': { autonomous_system_number: 64500 } })
    const broken = path.join(folder, 'broken.mmdb')
    for (let at = 0; at < good.length; at += 97) {
      const bytes = Buffer.from(good)
      bytes[at] = bytes[at]! ^ 0xff
      await writeFile(broken, bytes)
      await readNetworkMmdb(broken).then(
        (ranges) => assert.ok(ranges.length < 1000),
        (error) => assert.ok(error instanceof Error),
      )
    }
  })
})

/** A small mmdb (https://maxmind.github.io/MaxMind-DB/) for both versions, with 6to4 as an alias of the v4 part. */
function buildMmdb(networks: Record<string, Value>): Buffer {
  /** Each node has two places: another node's index, "data at offset", or nothing. */
  const nodes: [Place, Place][] = [[undefined, undefined]]
  const data: Buffer[] = []
  const step = (node: number, bit: number): number => {
    const place = nodes[node]![bit]
    if (typeof place === 'number') return place
    nodes.push([undefined, undefined])
    nodes[node]![bit] = nodes.length - 1
    return nodes.length - 1
  }
  const put = (bits: string, place: Place) => {
    let node = 0
    for (const bit of bits.slice(0, -1)) node = step(node, Number(bit))
    nodes[node]![Number(bits.at(-1))] = place
  }
  for (const [text, value] of Object.entries(networks)) {
    put(bitsOf(parseCidr(text) as Cidr), { offset: Buffer.concat(data).length })
    data.push(encode(value))
  }
  let v4Root = 0
  for (let i = 0; i < 96; i++) v4Root = step(v4Root, 0)
  put((0x2002).toString(2).padStart(16, '0'), v4Root)

  const tree = Buffer.alloc(nodes.length * 8)
  nodes.forEach((places, i) => {
    places.forEach((place, side) => {
      const record =
        place === undefined
          ? nodes.length
          : typeof place === 'number'
            ? place
            : nodes.length + 16 + place.offset
      tree.writeUInt32BE(record, i * 8 + side * 4)
    })
  })
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_767_225_600,
    database_type: 'Test-ASN',
    ip_version: 6,
    node_count: nodes.length,
    record_size: 32,
  })
  return Buffer.concat([
    tree,
    Buffer.alloc(16),
    ...data,
    Buffer.from('abcdef', 'hex'),
    Buffer.from('MaxMind.com'),
    metadata,
  ])
}

type Place = number | { readonly offset: number } | undefined

function bitsOf(cidr: Cidr): string {
  const bits = cidr.address.words.map((word) => word.toString(2).padStart(32, '0')).join('')
  return cidr.address.version === 4 ? '0'.repeat(96) + bits.slice(0, cidr.bits) : bits.slice(0, cidr.bits)
}

function encode(value: Value): Buffer {
  if (typeof value === 'string') {
    // From 29 on the length goes into a byte of its own.
    const size = value.length < 29 ? [(2 << 5) | value.length] : [(2 << 5) | 29, value.length - 29]
    return Buffer.concat([Buffer.from(size), Buffer.from(value)])
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(5)
    bytes[0] = (6 << 5) | 4
    bytes.writeUInt32BE(value, 1)
    return bytes
  }
  const entries = Object.entries(value)
  return Buffer.concat([
    Buffer.from([(7 << 5) | entries.length]),
    ...entries.flatMap(([key, item]) => [encode(key), encode(item)]),
  ])
}
