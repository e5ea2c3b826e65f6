import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type ClientHello, parseClientHello } from './client-hello.ts'
import { ja4Of } from './ja4.ts'

/** Captured hellos with the fingerprint that the npm package read-tls-client-hello 1.1 gives them. */
const FIXTURES = JSON.parse(
  readFileSync(new URL('./client-hello.fixtures.json', import.meta.url), 'utf8'),
) as Record<string, { hello: string; ja4: string }>

const hex = (text: string) => text.split(',').map((value) => Number.parseInt(value, 16))

/** The worked example of JA4's technical details (FoxIO): a Chrome hello, GREASE and SNI and ALPN added. */
const PUBLISHED: ClientHello = {
  version: 0x0303,
  ciphers: hex('dada,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035'),
  extensions: hex(
    '3a3a,001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015,6a6a',
  ),
  versions: hex('7a7a,0304,0303'),
  signatureAlgorithms: hex('0403,0804,0401,0503,0805,0501,0806,0601'),
  groups: [],
  alpn: ['h2', 'http/1.1'],
  serverName: 'example.org',
  hasServerName: true,
  tickets: [],
}

test('the published example has the published fingerprint', () => {
  assert.equal(ja4Of(PUBLISHED), 't13d1516h2_8daaf6152771_e5627efa2ab1')
})

for (const [client, fixture] of Object.entries(FIXTURES)) {
  test(`${client} has the fingerprint another implementation gives it`, () => {
    const result = parseClientHello(Buffer.from(fixture.hello, 'base64'))
    assert.equal(result.kind === 'hello' && ja4Of(result.hello), fixture.ja4)
  })
}

test('the order of extensions and the GREASE drawn change nothing', () => {
  const shuffled = {
    ...PUBLISHED,
    extensions: [...PUBLISHED.extensions].reverse().map((value) => (value === 0x3a3a ? 0xfafa : value)),
  }
  assert.equal(ja4Of(shuffled), ja4Of(PUBLISHED))
})

test('ALPN marks follow the specification for odd names', () => {
  const mark = (alpn: string[]) => ja4Of({ ...PUBLISHED, alpn }).slice(8, 10)
  assert.equal(mark([]), '00')
  assert.equal(mark(['']), '00')
  assert.equal(mark(['h']), 'hh')
  assert.equal(mark(['http/1.1']), 'h1')
  assert.equal(mark(['\xab\xcd']), 'ad')
  assert.equal(mark(['0\xcd']), '3d')
})

test('a hello without extensions or ciphers has zeros for their hashes', () => {
  const bare = {
    ...PUBLISHED,
    ciphers: [0x0a0a],
    extensions: [],
    alpn: [],
    versions: [],
    hasServerName: false,
  }
  assert.equal(ja4Of(bare), 't12i000000_000000000000_000000000000')
})
