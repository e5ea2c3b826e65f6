/** ClientHellos of other programs, base64 of the TLS record, for whoever is to be taken for one of them. */
import { readFileSync } from 'node:fs'
import { u16, vector16 } from './hello-like.ts'

const RECORDED = JSON.parse(
  readFileSync(new URL('../../src/recognise/client-hello.fixtures.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, { readonly hello: string }>>

const list16 = (...values: readonly number[]) => vector16(...values.map(u16))
const list8 = (...bytes: readonly number[]) => Buffer.from([bytes.length, ...bytes])
const name8 = (text: string) => list8(...Buffer.from(text, 'latin1'))

/** Written down from what Firefox 14x is known to send; there is none here to record. */
function firefox(): string {
  const extensions: readonly (readonly [type: number, data: Uint8Array])[] = [
    [0, vector16(Buffer.from([0]), vector16(Buffer.from('a', 'latin1')))],
    [23, Buffer.alloc(0)],
    [0xff01, Buffer.from([0])],
    [10, list16(0x11ec, 0x1d, 0x17, 0x18, 0x19, 0x100, 0x101)],
    [11, list8(0)],
    [35, Buffer.alloc(0)],
    [16, vector16(name8('h2'), name8('http/1.1'))],
    [5, Buffer.from([1, 0, 0, 0, 0])],
    [34, list16(0x0403, 0x0503, 0x0603, 0x0203)],
    [18, Buffer.alloc(0)],
    [51, vector16(u16(0x1d), vector16(Buffer.alloc(32, 9)))],
    [43, list8(3, 4, 3, 3)],
    [13, list16(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201)],
    [45, list8(1)],
    [28, u16(0x4001)],
    [27, list8(0, 1, 0, 2, 0, 3)],
    [
      0xfe0d,
      Buffer.concat([
        Buffer.from([0, 0, 1, 0, 1, 7]),
        vector16(Buffer.alloc(32, 5)),
        vector16(Buffer.alloc(239, 3)),
      ]),
    ],
  ]
  const ciphers = [
    0x1301, 0x1303, 0x1302, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc02c, 0xc030, 0xc00a, 0xc009, 0xc013, 0xc014,
    0x9c, 0x9d, 0x2f, 0x35,
  ]
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 1),
    list8(...Buffer.alloc(32, 2)),
    list16(...ciphers),
    list8(0),
    vector16(...extensions.map(([type, data]) => Buffer.concat([u16(type), vector16(data)]))),
  ])
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body])
  return Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message]).toString('base64')
}

export const HELLOS = {
  chromium: RECORDED['chromium']!.hello,
  curl: RECORDED['curl']!.hello,
  node: RECORDED['node, SNI and h2']!.hello,
  openssl: RECORDED['openssl s_client']!.hello,
  firefox: firefox(),
} as const
