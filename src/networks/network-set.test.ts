import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { type Address, formatAddress, parseAddress } from './address.ts'
import { CidrSet, formatCidr, lastWords, parseCidr } from './cidr.ts'
import { buildNetworkSet, layNetworkSets, type NetworkGroup, NetworkSet } from './network-set.ts'

const ALLOW = 0
const WEIGHT = 1
const PRICE = 2
const REFUSE = 4

function group(effect: number, list: number, ...texts: string[]): NetworkGroup {
  const v4: number[] = []
  const v6: number[] = []
  for (const text of texts) {
    const cidr = parseCidr(text)
    assert.ok(!('fault' in cidr), text)
    ;(cidr.address.version === 4 ? v4 : v6).push(...cidr.address.words, ...lastWords(cidr))
  }
  return { effect, list, ranges: { v4: Uint32Array.from(v4), v6: Uint32Array.from(v6) } }
}

const setOf = (...groups: NetworkGroup[]) => new NetworkSet(buildNetworkSet(groups))

describe('NetworkSet', () => {
  test('finds a network at its first and last address, and nothing beside it', () => {
    const set = setOf(group(REFUSE, 3, '192.0.2.0/24', '2001:db8::/32', '198.51.100.7', '2001:db9::7'))
    for (const text of [
      '192.0.2.0',
      '192.0.2.255',
      '2001:db8::',
      '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
      '198.51.100.7',
      '2001:db9::7',
      '::ffff:192.0.2.7',
    ])
      assert.deepEqual(set.find(text), { effect: REFUSE, list: 3 }, text)
    for (const text of [
      '192.0.1.255',
      '192.0.3.0',
      '0.0.0.0',
      '255.255.255.255',
      '198.51.100.6',
      '198.51.100.8',
      '2001:db9::6',
      '2001:db9::8',
      '2001:db9::',
      '2001:db9::1:0:7',
      '::',
      'ffff::',
    ])
      assert.equal(set.find(text), undefined, text)
  })

  test('an empty set, and a text that is no address, find nothing', () => {
    for (const set of [NetworkSet.EMPTY, setOf(), setOf(group(REFUSE, 0))]) {
      assert.ok(set.isEmpty)
      assert.equal(set.find('192.0.2.1'), undefined)
      assert.equal(set.find('2001:db8::1'), undefined)
    }
    const set = setOf(group(REFUSE, 0, '0.0.0.0/0', '::/0'))
    for (const text of ['', 'unknown', '192.0.2', 'fe80::1%eth0', '1'.repeat(100)])
      assert.equal(set.find(text), undefined)
  })

  test('covers both ends of the address space', () => {
    const set = setOf(group(REFUSE, 0, '0.0.0.0/0', '::/0'), group(ALLOW, 1, '255.255.255.255', 'ffff::/16'))
    assert.equal(set.find('0.0.0.0')?.effect, REFUSE)
    assert.equal(set.find('255.255.255.254')?.effect, REFUSE)
    assert.equal(set.find('255.255.255.255')?.effect, ALLOW)
    assert.equal(set.find('::')?.effect, REFUSE)
    assert.equal(set.find('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')?.effect, ALLOW)
  })

  test('allow beats everything, then the harder effect, then the list that is named first', () => {
    const set = setOf(
      group(WEIGHT, 0, '192.0.2.0/24'),
      group(REFUSE, 2, '192.0.2.0/25'),
      group(REFUSE, 1, '192.0.2.0/26'),
      group(ALLOW, 5, '192.0.2.1'),
    )
    assert.deepEqual(set.find('192.0.2.1'), { effect: ALLOW, list: 5 })
    assert.deepEqual(set.find('192.0.2.2'), { effect: REFUSE, list: 1 })
    assert.deepEqual(set.find('192.0.2.100'), { effect: REFUSE, list: 2 })
    assert.deepEqual(set.find('192.0.2.200'), { effect: WEIGHT, list: 0 })
  })

  test('sets laid over each other get new numbers, and softer effects where told', () => {
    const one = buildNetworkSet([group(REFUSE, 0, '192.0.2.0/24', '2001:db8::/32')])
    const two = buildNetworkSet([group(PRICE, 0, '192.0.2.0/25'), group(REFUSE, 0, '192.0.2.128/25')])
    const three = buildNetworkSet([group(ALLOW, 0, '192.0.2.7')])
    const set = new NetworkSet(
      layNetworkSets([
        { memory: one, list: 7, atMost: WEIGHT },
        { memory: two, list: 8 },
        { memory: three, list: 9, atMost: WEIGHT },
      ]),
    )
    assert.deepEqual(set.find('192.0.2.1'), { effect: PRICE, list: 8 })
    assert.deepEqual(set.find('192.0.2.200'), { effect: REFUSE, list: 8 })
    assert.deepEqual(set.find('192.0.2.7'), { effect: ALLOW, list: 9 })
    assert.deepEqual(set.find('2001:db8::1'), { effect: WEIGHT, list: 7 })
    assert.ok(new NetworkSet(layNetworkSets([])).isEmpty)
  })

  const v4 = (value: number): Address => ({ version: 4, words: [value >>> 0] })
  const v6 = (value: number): Address => ({ version: 6, words: [0x20010db8, 0, value >>> 16, value << 16] })

  test('answers as a plain look through all networks would, built at once or laid together', () => {
    const range = fc.record({
      first: fc.nat(60),
      length: fc.integer({ min: -1, max: 20 }),
      effect: fc.nat(4),
      list: fc.nat(4),
    })
    for (const address of [v4, v6]) {
      // Ends that reach into the last word, so that the address after it carries over.
      const base = address === v4 ? 0xffffffff - 80 : 0xffd0
      const at = (value: number) => {
        const { words } = address(base + value)
        return address === v4 ? words : [words[0]!, words[1]!, words[2]!, words[3]! >>> 0]
      }
      const lastOf = (value: number) => {
        const words = [...at(value)]
        if (address === v6) words[3] = (words[3]! | 0xffff) >>> 0
        return words
      }
      fc.assert(
        fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
          const groups = ranges.map(({ first, length, effect, list }): NetworkGroup => {
            const words = Uint32Array.from([...at(first), ...lastOf(first + length)])
            const none = new Uint32Array()
            return {
              effect,
              list,
              ranges: address === v4 ? { v4: words, v6: none } : { v4: none, v6: words },
            }
          })
          const atOnce = new NetworkSet(buildNetworkSet(groups))
          const laid = new NetworkSet(
            layNetworkSets(groups.map((group) => ({ memory: buildNetworkSet([group]), list: group.list }))),
          )
          for (let value = 0; value <= 80; value++) {
            const best = ranges
              .filter(({ first, length }) => first <= value && value <= first + length)
              .sort(
                (a, b) =>
                  Number(b.effect === ALLOW) - Number(a.effect === ALLOW) ||
                  b.effect - a.effect ||
                  a.list - b.list,
              )[0]
            const expected = best === undefined ? undefined : { effect: best.effect, list: best.list }
            const asked: Address = { version: address === v4 ? 4 : 6, words: at(value) }
            assert.deepEqual(atOnce.find(asked), expected, `at ${value}`)
            assert.deepEqual(laid.find(asked), expected, `laid, at ${value}`)
          }
        }),
        { numRuns: 300 },
      )
    }
  })

  test('a set large enough for its index answers as CidrSet does, at every border', () => {
    const network = fc
      .tuple(fc.nat(0xffffffff), fc.integer({ min: 8, max: 32 }))
      .map(([value, bits]) => ({ value: (value & (-1 << (32 - bits))) >>> 0, bits }))
    fc.assert(
      fc.property(fc.array(network, { minLength: 4000, maxLength: 6000, size: 'max' }), (networks) => {
        const texts = networks.map(({ value, bits }) => formatCidr({ address: v4(value), bits }))
        const set = setOf(group(WEIGHT, 0, ...texts))
        const { set: plain } = CidrSet.parse(texts)
        for (const { value, bits } of networks)
          for (const at of [value - 1, value, value + 2 ** (32 - bits) - 1, value + 2 ** (32 - bits)]) {
            const address = v4(at)
            assert.equal(set.find(address) !== undefined, plain.has(address), formatAddress(address))
          }
      }),
      { numRuns: 5 },
    )
  })

  test('a look-up by text and by words agree', () => {
    const set = setOf(group(PRICE, 1, '192.0.2.0/25', '2001:db8:1::/48'))
    for (const text of ['192.0.2.3', '192.0.2.128', '2001:db8:1::3', '2001:db8:2::3'])
      assert.deepEqual(set.find(text), set.find(parseAddress(text)!))
  })

  test('refuses a mark that there is not, and a memory of another kind', () => {
    assert.throws(() => buildNetworkSet([group(5, 0)]), RangeError)
    assert.throws(() => buildNetworkSet([group(-1, 0)]), RangeError)
    assert.throws(() => buildNetworkSet([group(0, 64)]), RangeError)
    assert.throws(() => layNetworkSets([{ memory: buildNetworkSet([]), list: 64 }]), RangeError)
    assert.throws(() => new NetworkSet(new SharedArrayBuffer(64)), TypeError)
  })

  test('another thread reads the same memory', async () => {
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads')
       import(workerData.module).then(({ NetworkSet }) => {
         parentPort.postMessage(new NetworkSet(workerData.memory).find('192.0.2.7'))
       })`,
      {
        eval: true,
        workerData: {
          module: new URL('./network-set.ts', import.meta.url).href,
          memory: buildNetworkSet([group(REFUSE, 1, '192.0.2.0/24')]),
        },
      },
    )
    const found = await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    assert.deepEqual(found, { effect: REFUSE, list: 1 })
    await worker.terminate()
  })
})
