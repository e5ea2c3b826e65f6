import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { type Address, parseAddress } from './address.ts'
import { bordersOf, type NetworkRange } from './network-borders.ts'
import { parseNetworkLine } from './network-csv.ts'
import { NetworkTable, NetworkTableError } from './network-table.ts'

function tableOf(...lines: string[]): NetworkTable {
  const ranges = lines.map((line) => {
    const range = parseNetworkLine(line)
    assert.ok(typeof range !== 'string', `${line}: ${range}`)
    return range
  })
  return NetworkTable.fromBorders(bordersOf(ranges), Date.UTC(2026, 0, 2))
}

function asnOf(table: NetworkTable, text: string): number {
  return table.asnOf(parseAddress(text)!)
}

const v4 = (value: number): Address => ({ version: 4, words: [value >>> 0] })
const v6 = (value: number): Address => ({ version: 6, words: [0x20010000, value >>> 0, 0, 0] })

describe('NetworkTable', () => {
  test('finds the network at its first and last address, and none beside it', () => {
    const table = tableOf('192.0.2.0,192.0.2.255,64500,A', '2001:db8::/32,64501,B')
    for (const text of ['192.0.2.0', '192.0.2.255']) assert.equal(asnOf(table, text), 64500)
    for (const text of ['192.0.1.255', '192.0.3.0', '0.0.0.0', '255.255.255.255'])
      assert.equal(asnOf(table, text), 0)
    for (const text of ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'])
      assert.equal(asnOf(table, text), 64501)
    for (const text of ['2001:db7:ffff::', '2001:db9::', '::', 'ffff::']) assert.equal(asnOf(table, text), 0)
  })

  test('the most specific of nested networks wins', () => {
    const table = tableOf(
      '10.0.0.0/8,1',
      '10.1.0.0/16,2',
      '10.1.1.0/24,3',
      '10.1.1.0/25,4',
      '10.255.255.255,10.255.255.255,5',
    )
    assert.deepEqual(
      [
        '10.0.0.1',
        '10.1.0.1',
        '10.1.1.1',
        '10.1.1.128',
        '10.1.2.0',
        '10.2.0.0',
        '10.255.255.255',
        '11.0.0.0',
      ].map((text) => asnOf(table, text)),
      [1, 2, 4, 3, 2, 1, 5, 0],
    )
  })

  test('covers both ends of the address space', () => {
    const table = tableOf('0.0.0.0,255.255.255.255,7', '::/0,8')
    for (const text of ['0.0.0.0', '255.255.255.255']) assert.equal(asnOf(table, text), 7)
    for (const text of ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']) assert.equal(asnOf(table, text), 8)
  })

  test('answers as a plain search for the latest, then shortest, range would', () => {
    for (const address of [v4, v6]) {
      const range = fc.tuple(fc.nat(60), fc.nat(20), fc.integer({ min: 1, max: 5 })).map(
        ([first, length, asn]): NetworkRange => ({
          first: address(first),
          last: address(first + length),
          asn,
        }),
      )
      fc.assert(
        fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
          // Equal ranges with different ASNs have no right answer.
          const distinct = [...new Map(ranges.map((r) => [`${r.first.words}-${r.last.words}`, r])).values()]
          const table = NetworkTable.fromBorders(bordersOf(distinct), 0)
          for (let value = 0; value < 90; value++) {
            const at = address === v4 ? 0 : 1
            const best = distinct
              .filter((r) => r.first.words[at]! <= value && value <= r.last.words[at]!)
              .sort(
                (a, b) => b.first.words[at]! - a.first.words[at]! || a.last.words[at]! - b.last.words[at]!,
              )[0]
            assert.equal(table.asnOf(address(value)), best?.asn ?? 0, `at ${value}`)
          }
        }),
      )
    }
  })

  test('comes back from its file as it was', () => {
    const table = tableOf('192.0.2.0/24,64500', '2001:db8::/32,64501')
    const again = NetworkTable.fromFile(table.toFile())
    assert.deepEqual(new Uint8Array(again.buffer), new Uint8Array(table.buffer))
    assert.equal(again.sourceDateMs, Date.UTC(2026, 0, 2))
    assert.equal(asnOf(again, '192.0.2.77'), 64500)
  })

  test('any damage to a file is found', () => {
    const file = tableOf('192.0.2.0/24,64500', '2001:db8::/32,64501', '198.51.100.0/24,64502').toFile()
    fc.assert(
      fc.property(fc.nat(file.length * 8 - 1), (bit) => {
        const damaged = Uint8Array.from(file)
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        assert.throws(() => NetworkTable.fromFile(damaged), NetworkTableError)
      }),
    )
    fc.assert(
      fc.property(fc.nat(file.length - 1), (length) =>
        assert.throws(() => NetworkTable.fromFile(file.subarray(0, length)), NetworkTableError),
      ),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
        assert.throws(() => NetworkTable.fromFile(bytes), NetworkTableError),
      ),
    )
  })

  test('another thread reads the same memory', async () => {
    const table = tableOf('192.0.2.0/24,64500')
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads')
       import(workerData.module).then(({ NetworkTable }) => {
         const table = new NetworkTable(workerData.buffer)
         parentPort.postMessage(table.asnOf({ version: 4, words: [0xc0000207] }))
       })`,
      {
        eval: true,
        workerData: { module: new URL('./network-table.ts', import.meta.url).href, buffer: table.buffer },
      },
    )
    const [asn] = await new Promise<unknown[]>((resolve, reject) => {
      worker.once('message', (...args) => resolve(args))
      worker.once('error', reject)
    })
    assert.equal(asn, 64500)
    await worker.terminate()
  })
})
