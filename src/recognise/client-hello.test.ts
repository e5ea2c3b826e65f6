import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import fc from 'fast-check'
import { type ClientHello, LARGEST_HELLO_BYTES, parseClientHello } from './client-hello.ts'
import { ja4Of } from './ja4.ts'

const FIXTURES = JSON.parse(
  readFileSync(new URL('./client-hello.fixtures.json', import.meta.url), 'utf8'),
) as Record<string, { hello: string; ja4: string }>
const CHROMIUM = Buffer.from(FIXTURES['chromium']!.hello, 'base64')

function helloOf(bytes: Uint8Array): ClientHello {
  const result = parseClientHello(bytes)
  assert.equal(result.kind, 'hello')
  return (result as { hello: ClientHello }).hello
}

/** What Node's own TLS client would send. */
function nodeHello(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        done()
        resolve(chunk)
        wire.destroy()
      },
    })
    connect({ socket: wire, ...options }).on('error', () => {})
  })
}

/** The message of a one-record hello, again in records of `size` bytes. */
function fragmented(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(records)
}

test('what a client sends is read: name, protocols, versions', async () => {
  const hello = helloOf(
    await nodeHello({ servername: 'Site.Example.org', ALPNProtocols: ['h2', 'http/1.1'] }),
  )
  assert.equal(hello.serverName, 'site.example.org')
  assert.deepEqual(hello.alpn, ['h2', 'http/1.1'])
  assert.ok(hello.versions.includes(0x0304))
  assert.ok(hello.signatureAlgorithms.length > 3)
  assert.ok(hello.groups.length > 0)
  assert.equal(hello.tickets.length, 0)
})

test('every prefix of a hello wants more, and the whole is one', () => {
  for (let length = 0; length < CHROMIUM.length; length++) {
    assert.equal(parseClientHello(CHROMIUM.subarray(0, length)).kind, 'more', `at ${length}`)
  }
  assert.equal(parseClientHello(CHROMIUM).kind, 'hello')
})

test('a hello over several records reads as the same hello', () => {
  const whole = helloOf(CHROMIUM)
  for (const size of [50, 100, 1000]) {
    const pieces = fragmented(CHROMIUM, size)
    assert.deepEqual(helloOf(pieces), whole, `records of ${size}`)
    for (let length = 0; length < pieces.length; length += 7)
      assert.equal(parseClientHello(pieces.subarray(0, length)).kind, 'more')
  }
})

test('what is no ClientHello is malformed at its first wrong byte', () => {
  for (const [bytes, reason] of [
    [Buffer.from('GET / HTTP/1.1\r\n'), 'not a handshake record'],
    [Buffer.from([22, 2, 0, 0, 5]), 'not a TLS record'],
    [Buffer.from([22, 3, 1, 0, 0]), 'empty handshake record'],
    [Buffer.from([22, 3, 1, 0, 40, 2, 0, 0, 36]), 'not a ClientHello'],
    [Buffer.from([22, 3, 1, 255, 255, 1, 255, 255, 255]), 'hello too large'],
    [
      Buffer.concat([Buffer.from([22, 3, 1, 0, 1, 1]), Buffer.from([22, 3, 1, 0, 0])]),
      'empty handshake record',
    ],
  ] as const) {
    assert.deepEqual(parseClientHello(bytes), { kind: 'malformed', reason })
  }
})

test('the first four bytes may come in records of their own', () => {
  const message = CHROMIUM.subarray(5)
  for (let split = 1; split < 6; split++) {
    const record = (part: Buffer) =>
      Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part])
    assert.deepEqual(
      helloOf(Buffer.concat([record(message.subarray(0, split)), record(message.subarray(split))])),
      helloOf(CHROMIUM),
    )
  }
})

test('endless small records end soon, and one endless hello at 16 kB', () => {
  assert.deepEqual(parseClientHello(fragmented(CHROMIUM, 4)), {
    kind: 'malformed',
    reason: 'too many records',
  })
  const large = Buffer.concat([
    Buffer.alloc(5),
    Buffer.from([1, 0, 0x3f, 0xf0]),
    Buffer.alloc(LARGEST_HELLO_BYTES),
  ])
  assert.equal(parseClientHello(fragmented(large, 8000).subarray(0, LARGEST_HELLO_BYTES - 1)).kind, 'more')
  assert.notEqual(parseClientHello(fragmented(large, 8000)).kind, 'more')
})

test('a server name that no host can have is none', async () => {
  const bytes = await nodeHello({ servername: 'aaaa.example.org' })
  const at = bytes.indexOf('aaaa')
  for (const evil of ['a/../', 'a\0aa', 'a aa', 'ä', '%61a']) {
    const changed = Buffer.from(bytes)
    changed.write(evil.padEnd(4).slice(0, 4), at, 'latin1')
    assert.equal(helloOf(changed).serverName, '')
    assert.equal(helloOf(changed).hasServerName, true)
  }
})

test('mutated hellos never throw, and cost no more than whole ones', () => {
  const seeds = Object.values(FIXTURES).map((fixture) => Buffer.from(fixture.hello, 'base64'))
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(2000), fc.integer({ min: 0, max: 255 })), { maxLength: 12 }),
      fc.nat(2000),
      fc.integer({ min: 1, max: 2000 }),
      (seed, changes, cut, size) => {
        let bytes: Buffer = Buffer.from(seed)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        bytes = bytes.subarray(0, bytes.length - (cut % bytes.length))
        if (bytes.length > 5 && cut % 3 === 0) bytes = fragmented(bytes, size)
        const result = parseClientHello(bytes)
        assert.ok(['hello', 'more', 'malformed'].includes(result.kind))
        if (result.kind !== 'hello') return
        const { hello } = result
        for (const list of [
          hello.ciphers,
          hello.extensions,
          hello.versions,
          hello.groups,
          hello.signatureAlgorithms,
          hello.alpn,
        ]) {
          assert.ok(list.length <= 256)
        }
        assert.ok(hello.tickets.length <= 4)
        assert.match(hello.serverName, /^[a-z0-9._-]{0,253}$/)
      },
    ),
    { numRuns: 3000 },
  )
})

test('noise never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (noise, dressed) => {
      const bytes = dressed
        ? Buffer.concat([Buffer.from([22, 3, 1, noise.length >> 8, noise.length & 255, 1]), noise])
        : noise
      parseClientHello(bytes)
    }),
    { numRuns: 3000 },
  )
})

const u16 = (value: number) => Buffer.from([(value >> 8) & 255, value & 255])
const JA4 = /^t(1[0-3]|s[23]|00)[di]\d{2}\d{2}[0-9a-zA-Z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/

/** A record with a hello of these ciphers and extensions, lengths as given or right. */
function assembled(
  ciphers: readonly number[],
  extensions: readonly (readonly [number, Uint8Array, number])[],
): Buffer {
  const list = Buffer.concat(
    extensions.flatMap(([type, data, excess]) => [
      u16(type),
      u16(Math.max(0, data.length + excess)),
      Buffer.from(data),
    ]),
  )
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32),
    Buffer.from([0]),
    u16(ciphers.length * 2),
    ...ciphers.map(u16),
    Buffer.from([1, 0]),
    u16(list.length),
    list,
  ])
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body])
  return Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message])
}

test('hellos put together by somebody who knows the grammar have a fingerprint of the right form or none', () => {
  const kinds = fc.oneof(fc.constantFrom(0, 10, 13, 16, 35, 41, 43, 0x0a0a, 0xfafa), fc.nat(65535))
  const data = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    // A list of 16-bit values with its length before it, as most extensions are.
    fc
      .array(fc.nat(65535), { maxLength: 20 })
      .map((values) => Buffer.concat([u16(values.length * 2), ...values.map(u16)])),
    fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 6 })).map((names) => {
      const list = Buffer.concat(names.map((name) => Buffer.from(`\0${name}`, 'latin1')))
      for (let at = 0, i = 0; i < names.length; at += names[i++]!.length + 1) list[at] = names[i]!.length
      return Buffer.concat([u16(list.length), list])
    }),
  )
  let read = 0
  fc.assert(
    fc.property(
      fc.array(fc.nat(65535), { maxLength: 120 }),
      fc.array(fc.tuple(kinds, data, fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, -1, 1, 300)), { maxLength: 12 }),
      (ciphers, extensions) => {
        const bytes = assembled(ciphers, extensions)
        const result = parseClientHello(bytes)
        assert.notEqual(result.kind, 'more')
        if (result.kind !== 'hello') return
        read++
        assert.match(ja4Of(result.hello), JA4)
        assert.equal(ja4Of(helloOf(bytes)), ja4Of(result.hello))
      },
    ),
    { numRuns: 2000, seed: 9 },
  )
  assert.ok(read > 200, String(read))
})

test('lists longer than any client sends are refused, and more ciphers than two digits say 99', () => {
  const many = Array.from({ length: 120 }, (_, i) => 0x1300 + i)
  const ja4 = ja4Of(
    helloOf(
      assembled(
        many,
        Array.from({ length: 110 }, (_, i) => [0x2000 + i, Buffer.alloc(0), 0]),
      ),
    ),
  )
  assert.match(ja4, /^t12i999900_/)
  assert.equal(
    parseClientHello(
      assembled(
        Array.from({ length: 300 }, (_, i) => i),
        [],
      ),
    ).kind,
    'malformed',
  )
  const extensions = Array.from({ length: 300 }, (_, i) => [i + 100, Buffer.alloc(0), 0] as const)
  assert.equal(parseClientHello(assembled([1], extensions)).kind, 'malformed')
})
