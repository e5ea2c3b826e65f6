import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { FLAT_WEIGHTS, type Weights } from '#admission'
import type { ClientAddress } from '#networks'
import type { ClientHello } from '#recognise'
import { HandshakeGate, type HandshakeGateOptions } from './handshake-gate.ts'
import { newTicketKeySet, rotateTicketKeys, sealedBy, type TicketKeySet } from './ticket-keys.ts'

const HELLO: ClientHello = {
  version: 0x0303,
  ciphers: [0x1301],
  extensions: [],
  versions: [0x0304],
  signatureAlgorithms: [],
  groups: [],
  alpn: [],
  serverName: '',
  hasServerName: false,
  tickets: [],
}

/** OpenSSL's layout: key name, iv, ciphertext, HMAC-SHA256 over all of it. */
function seal(keys: TicketKeySet, index = 0): Buffer {
  const key = keys.keys[index]!.bytes
  const body = Buffer.concat([key.subarray(0, 16), randomBytes(16), randomBytes(160)])
  return Buffer.concat([body, createHmac('sha256', key.subarray(16, 32)).update(body).digest()])
}

function address(asn: number, n: number): ClientAddress {
  const net = `${10 + (asn >> 8)}.${asn & 255}.${(n >> 8) & 255}`
  const text = `${net}.${n & 255}`
  return { text, version: 4, prefix: `${net}.0/24`, subscriber: text, asn }
}

const CALM_NETWORKS = [1, 2, 3]
/** Calm weather knew three networks. */
const CALM: Weights = {
  version: 1,
  hasBaseline: true,
  floor: 1 / 2000,
  asn: (asn) => (CALM_NETWORKS.includes(asn) ? 1 / 3 : 0),
  prefix: () => 0,
  subscriber: () => 0,
}

interface Tally {
  begun: number
  refused: number
}

function makeGate(options: Partial<HandshakeGateOptions> = {}) {
  const counters = new Map<string, number>()
  const gate = new HandshakeGate({
    share: 0.6,
    weights: CALM,
    ticketKeys: newTicketKeySet(),
    count: (name, by = 1) => counters.set(name, (counters.get(name) ?? 0) + by),
    ...options,
  })
  const ask = (
    client: ClientAddress,
    tally: Tally,
    nowMs: number,
    tickets: readonly Uint8Array[] = [],
    marked = false,
  ) =>
    gate.ask(
      {
        client,
        hello: { ...HELLO, tickets },
        marked,
        begin: () => tally.begun++,
        refuse: () => tally.refused++,
      },
      nowMs,
    )
  return { gate, counters, ask }
}

/** A small generator with a seed, so that a failure can be looked at. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Ten seconds; 60 new and 60 known visitors/s, and a cold flood at twice the core's rate of 1,000/s. */
function simulate(gateOptions: Partial<HandshakeGateOptions>, spread: number) {
  const keys = newTicketKeySet()
  const { gate, ask, counters } = makeGate({ ticketKeys: keys, ...gateOptions })
  const random = randomFrom(7)
  const fresh: Tally = { begun: 0, refused: 0 }
  const known: Tally = { begun: 0, refused: 0 }
  const bots: Tally = { begun: 0, refused: 0 }
  for (let ms = 0; ms < 11_500; ms++) {
    if (ms < 10_000) {
      for (let i = 0; i < 2; i++) {
        const n = Math.floor(random() * 2000)
        ask(address(100 + (n % spread), n), bots, ms)
      }
      if (random() < 0.06) ask(address(1 + Math.floor(random() * 3), Math.floor(random() * 5000)), fresh, ms)
      if (random() < 0.06)
        ask(address(1 + Math.floor(random() * 3), Math.floor(random() * 5000)), known, ms, [seal(keys)])
    }
    if (ms % 4 === 0) gate.tick(ms)
  }
  const share = (tally: Tally) => tally.begun / (tally.begun + tally.refused)
  return {
    fresh: share(fresh),
    known: share(known),
    bots: share(bots),
    begun: fresh.begun + known.begun + bots.begun,
    counters,
  }
}

test('a cold flood at twice the core’s rate, from two hundred networks, leaves the visitors their handshakes', () => {
  const { fresh, known, begun } = simulate({}, 200)
  assert.ok(known >= 0.99, `known ${known}`)
  assert.ok(fresh >= 0.9, `new ${fresh}`)
  // And it costs no more than was granted: 600 a second and the first burst.
  assert.ok(begun <= 6000 + 60 + 700, `${begun} begun`)
})

test('without network weights new visitors are turned away by the same flood', () => {
  const { fresh, known } = simulate({ weights: FLAT_WEIGHTS }, 200)
  assert.ok(fresh < 0.9, `new ${fresh}`)
  assert.ok(known >= 0.99, `known ${known}`)
})

test('without a gate the flood takes the core', () => {
  // A bucket that is never empty: every handshake is begun, two seconds of work per second.
  const { begun } = simulate({ share: 10 }, 12)
  assert.ok(begun > 20_000)
})

test('a flood from the visitors’ own networks leaves them their handshakes once its hello is known', () => {
  const served = (areMarked: boolean) => {
    const keys = newTicketKeySet()
    const { gate, ask } = makeGate({ ticketKeys: keys })
    const random = randomFrom(11)
    const fresh: Tally = { begun: 0, refused: 0 }
    const known: Tally = { begun: 0, refused: 0 }
    const bots: Tally = { begun: 0, refused: 0 }
    for (let ms = 0; ms < 11_500; ms++) {
      if (ms < 10_000) {
        for (let i = 0; i < 2; i++) {
          const bot = address(1 + Math.floor(random() * 3), Math.floor(random() * 65_536))
          ask(bot, bots, ms, [], areMarked)
        }
        const visitor = address(1 + Math.floor(random() * 3), Math.floor(random() * 5000))
        if (random() < 0.06) ask(visitor, fresh, ms)
        // Holds a ticket of calm weather, and his browser's hello is what the flood imitates.
        if (random() < 0.06) ask(visitor, known, ms, [seal(keys)], areMarked)
      }
      if (ms % 4 === 0) gate.tick(ms)
    }
    const share = ({ begun, refused }: Tally) => begun / (begun + refused)
    return { fresh: share(fresh), known: share(known), bots: share(bots) }
  }
  const before = served(false)
  const after = served(true)
  assert.ok(before.fresh < 0.6, `${before.fresh} before`)
  assert.ok(after.fresh >= 0.99, `${after.fresh} after`)
  assert.ok(after.known >= 0.99, `${after.known} of the known`)
  // What visitors leave is the flood's: a mark is no wall.
  assert.ok(after.bots > 0.1, `${after.bots} of the bots`)
})

test('an idle thread grants nearly all of itself to a crowd of new visitors', () => {
  let busy = 0
  const { gate, ask } = makeGate({ busyMs: () => busy })
  const tally: Tally = { begun: 0, refused: 0 }
  let n = 0
  for (let ms = 0; ms < 5000; ms++) {
    const before = tally.begun
    for (; n * 1.2 < ms; n++) ask(address(1, n), tally, ms)
    gate.tick(ms)
    busy += tally.begun - before
  }
  for (let ms = 5000; gate.waiting > 0; ms++) gate.tick(ms)
  assert.ok(tally.begun > 0.97 * n, `${tally.begun} of ${n}`)
})

test('a thread that is busy with requests grants its share and no more', () => {
  let busy = 0
  const { gate, ask } = makeGate({ busyMs: () => busy })
  const tally: Tally = { begun: 0, refused: 0 }
  for (let ms = 0; ms < 5000; ms++) {
    ask(address(1, ms), tally, ms)
    gate.tick(ms)
    busy = ms + 1
  }
  assert.ok(tally.begun <= 0.6 * 5000 + 50, `${tally.begun}`)
})

test('who waits longer than a second is refused', () => {
  const { gate, ask, counters } = makeGate({ share: 0.001 })
  const tally: Tally = { begun: 0, refused: 0 }
  for (let n = 0; n < 100; n++) ask(address(1, n), tally, 0)
  const { begun } = tally
  gate.tick(999)
  assert.equal(tally.refused, 0)
  gate.tick(1000)
  assert.equal(tally.refused, 100 - tally.begun)
  assert.ok(tally.begun <= begun + 2)
  assert.equal(counters.get('handshake-refused-timeout'), tally.refused)
})

test('one ticket shared by many counts a few times', () => {
  const keys = newTicketKeySet()
  const { ask, counters, gate } = makeGate({ ticketKeys: keys, share: 0.001 })
  const tally: Tally = { begun: 0, refused: 0 }
  const ticket = seal(keys)
  for (let n = 0; n < 126; n++) ask(address(9, n), tally, 0, [ticket])
  assert.equal(counters.get('ticket-overused'), gate.waiting - 6)
})

test('a ticket given out during a flood proves nothing', () => {
  const keys = rotateTicketKeys(newTicketKeySet(), false)
  const { ask, counters } = makeGate({ ticketKeys: keys, share: 0.001 })
  const tally: Tally = { begun: 0, refused: 0 }
  for (let n = 0; n < 40; n++) ask(address(9, n), tally, 0, [seal(keys)])
  assert.ok(counters.get('ticket-from-flood')! > 0)
})

test('only an untouched ticket under a key of ours is ours', () => {
  const keys = rotateTicketKeys(rotateTicketKeys(newTicketKeySet(), true), true)
  for (const index of [0, 1, 2]) assert.equal(sealedBy(seal(keys, index), keys), keys.keys[index])
  assert.equal(sealedBy(seal(newTicketKeySet()), keys), undefined)
  const ticket = seal(keys)
  for (const at of [0, 20, 40, ticket.length - 1]) {
    const changed = Buffer.from(ticket)
    changed[at]! ^= 1
    assert.equal(sealedBy(changed, keys), undefined, `byte ${at}`)
  }
  assert.equal(sealedBy(ticket.subarray(0, 79), keys), undefined)
  assert.equal(sealedBy(Buffer.alloc(0), keys), undefined)
})

test('a client that leaves while it waits gives its place back', () => {
  const { gate } = makeGate({ share: 0.001 })
  const waiters = Array.from({ length: 60 }, (_, n) => ({
    client: address(1, n),
    hello: HELLO,
    begin: () => {},
    refuse: () => assert.fail('refused'),
  }))
  for (const waiter of waiters) gate.ask(waiter, 0)
  assert.ok(gate.waiting > 0)
  for (const waiter of waiters) gate.withdraw(waiter)
  assert.equal(gate.waiting, 0)
  gate.tick(5000)
})

test('whose prefix was refused again and again is mostly refused before a socket is made; others never', () => {
  const { gate, ask } = makeGate({ maxWaiting: 100, random: randomFrom(4) })
  const bots: Tally = { begun: 0, refused: 0 }
  const bot = address(99, 1)
  const visitor = address(1, 1)
  assert.ok(gate.mayArrive(bot, 0), 'nothing is known yet')
  // 5,000 connections per second of one prefix against some 600 handshakes.
  let arrived = 0
  for (let at = 0; at < 2000; at += 1) {
    for (let n = 0; n < 5; n++) {
      if (!gate.mayArrive(bot, at)) continue
      arrived++
      ask(address(99, n), bots, at)
    }
    if (at % 4 === 0) gate.tick(at)
    assert.ok(gate.mayArrive(visitor, at))
  }
  assert.ok(arrived < 6000, `${arrived} of 10,000 arrived`)
  // The line is kept full enough for no handshake to be lost.
  assert.ok(bots.begun > 1000, `${bots.begun} begun`)
  // Once the line is short again, anybody arrives.
  for (let at = 2000; at < 4000; at += 4) gate.tick(at)
  assert.ok(gate.mayArrive(bot, 4000))
})
