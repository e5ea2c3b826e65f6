import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { identify } from './client-address.ts'
import { parseNetworkLine } from './network-csv.ts'
import { openNetworks } from './open-networks.ts'

describe('parseNetworkLine', () => {
  test('reads both layouts, names with commas and quotes, and "AS" before the number', () => {
    assert.deepEqual(parseNetworkLine('192.0.2.0,192.0.2.255,64500,"A ""B"", Inc."'), {
      first: { version: 4, words: [0xc0000200] },
      last: { version: 4, words: [0xc00002ff] },
      asn: 64500,
      name: 'A "B", Inc.',
    })
    assert.deepEqual(parseNetworkLine('2001:db8::/32, AS64501'), {
      first: { version: 6, words: [0x20010db8, 0, 0, 0] },
      last: { version: 6, words: [0x20010db8, 0xffffffff, 0xffffffff, 0xffffffff] },
      asn: 64501,
      name: '',
    })
  })

  test('says what is wrong with a line', () => {
    const wrong: [string, RegExp][] = [
      ['hello', /expected an address/],
      ['192.0.2.0,192.0.2.255', /expected an ASN, got ""/],
      ['192.0.2.0/24,many', /expected an ASN, got "many"/],
      ['192.0.2.0/24,4294967296', /expected an ASN/],
      ['192.0.2.9,192.0.2.1,1', /before the first/],
      ['192.0.2.9,2001:db8::,1', /last address/],
      ['192.0.2.1/24,1', /host bits/],
      ['192.0.2.0/24,1,"open', /does not end/],
      [`192.0.2.0/24,1,${'x'.repeat(5000)}`, /at most 4096/],
    ]
    for (const [line, expected] of wrong) assert.match(String(parseNetworkLine(line)), expected)
  })

  test('no line makes it throw', () => {
    const piece = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom(',', '"', '/24', '64500', ' ', 'AS'),
      fc.string({ maxLength: 8 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => void parseNetworkLine(pieces.join(''))),
    )
  })
})

describe('openNetworks', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'digue-networks-'))
  })
  after(() => rm(folder, { recursive: true }))

  async function write(name: string, content: string | Uint8Array): Promise<string> {
    const file = path.join(folder, name)
    await writeFile(file, content)
    return file
  }

  test('uses an operator’s CSV, header and all, and names the lines it cannot read', async () => {
    const file = await write(
      'own.csv',
      'network,asn,name\n# ours\n192.0.2.0/24,64500,Ours\r\nnonsense\n2001:db8::/32,64501,Theirs\n',
    )
    const opened = await openNetworks(file)
    assert.equal(opened.source, 'operator')
    assert.equal(identify('192.0.2.9', opened.table).asn, 64500)
    assert.equal(identify('2001:db8::9', opened.table).asn, 64501)
    assert.equal((await opened.names()).get(64501), 'Theirs')
    assert.equal(opened.faults.length, 1)
    assert.match(opened.faults[0]!, /own\.csv: line 4: expected an address/)
  })

  test('a file that cannot be used leaves Digue running, and says so', async () => {
    const files = [
      path.join(folder, 'absent.csv'),
      await write('empty.csv', ''),
      await write('bad.mmdb', 'no database'),
      await write('bin.csv', new Uint8Array(9000)),
    ]
    for (const file of files) {
      const opened = await openNetworks(file)
      assert.notEqual(opened.source, 'operator', file)
      assert.match(opened.faults[0]!, /^networks: expected a CSV or mmdb/, file)
    }
  })
})
