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

/**
 * FoxIO's own captures (github.com/FoxIO-LLC/ja4, python/test/testdata): the lists in the order of the hello
 * (`JA4_ro`), and the fingerprint published for it.
 */
const CAPTURES: readonly (readonly [what: string, raw: string, ja4: string])[] = [
  [
    'Chrome (tls3.pcapng)',
    't13d1516h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_0023,0033,ff01,000a,0012,0005,0017,4469,0000,001b,000d,002d,000b,002b,0010,0015_0403,0804,0401,0503,0805,0501,0806,0601',
    't13d1516h2_8daaf6152771_e5627efa2ab1',
  ],
  [
    'Chrome that resumes with a PSK (tls3.pcapng)',
    't13d1516h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_0033,000a,0005,000d,0012,0000,0010,002b,0023,001b,0017,002d,ff01,4469,000b,0029_0403,0804,0401,0503,0805,0501,0806,0601',
    't13d1516h2_8daaf6152771_9b887d9acb53',
  ],
  [
    'Chrome that draws a signature algorithm too (sigalg-grease.pcapng)',
    't13d1517h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_fe0d,0010,0017,0033,44cd,ff01,000a,000d,0023,002b,000b,ca34,002d,0000,0005,001b,0012_dada,0904,0905,0906,0403,0804,0401,0503,0805,0501,0806,0601',
    't13d1517h2_8daaf6152771_cb7bf5808d99',
  ],
  [
    'an older Chrome (badcurveball.pcap)',
    't13d1615h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035,000a_0000,0017,ff01,000a,000b,0023,0010,0005,000d,0012,0033,002d,002b,001b,0015_0403,0804,0401,0503,0805,0501,0806,0601,0201',
    't13d1615h2_46e7e9700bed_45f260be83e2',
  ],
  [
    'Firefox (tls12.pcap)',
    't13d1715h2_1301,1303,1302,c02b,c02f,cca9,cca8,c02c,c030,c00a,c009,c013,c014,009c,009d,002f,0035_0000,0017,ff01,000a,000b,0023,0010,0005,0022,0033,002b,000d,002d,001c,0015_0403,0503,0603,0804,0805,0806,0401,0501,0601,0203,0201',
    't13d1715h2_5b57614c22b0_3d5424432f57',
  ],
  [
    'LibreSSL over TLS 1.2, with algorithms of a private range (ipv6.pcapng)',
    't12d4605h2_c030,c02c,c028,c024,c014,c00a,009f,006b,0039,cca9,cca8,ccaa,ff85,00c4,0088,0081,009d,003d,0035,00c0,0084,c02f,c02b,c027,c023,c013,c009,009e,0067,0033,00be,0045,009c,003c,002f,00ba,0041,c011,c007,0005,0004,c012,c008,0016,000a,00ff_0000,000b,000a,000d,0010_0601,0603,efef,0501,0503,0401,0403,eeee,eded,0301,0303,0201,0203',
    't12d4605h2_85626a9a5f7f_aaf95bb78ec9',
  ],
]

for (const [what, raw, ja4] of CAPTURES) {
  test(`the published capture of ${what} has the published fingerprint`, () => {
    const [mark, ciphers, extensions, algorithms] = raw.split('_')
    const hello: ClientHello = {
      ...PUBLISHED,
      versions: mark!.startsWith('t13') ? hex('0303,4a4a,0304') : [],
      ciphers: hex(ciphers!),
      extensions: hex(extensions!),
      signatureAlgorithms: hex(algorithms!),
    }
    assert.equal(ja4Of(hello), ja4)
  })
}

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
