/** Stored pages on the slow path: what a client takes, at its pace. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer } from './answers.ts'
import type { Instead } from './cache/filling.ts'
import { Exchange } from './exchange.ts'
import { connectionOf } from './fast/stage.fixture.ts'
import { PaceWatch } from './pace.ts'
import { type Downstream, Relay } from './relay.ts'

const ROOM = 262_144

class Client implements Downstream {
  /** What was written and not read yet, piece by piece, as a socket counts it. */
  readonly #pieces: number[] = []
  relay!: Relay
  sends = true
  written = 0
  most = 0
  did = ''
  respond(): boolean {
    return this.sends
  }
  inform(): void {}
  answer(answer: Answer): void {
    this.did = `answer ${answer.status}`
  }
  write(chunk: Buffer, pressed: boolean): boolean {
    this.#pieces.push(chunk.length)
    this.written += chunk.length
    this.most = Math.max(this.most, this.pendingBytes)
    return !pressed && this.pendingBytes < ROOM
  }
  finish(): void {
    this.did = 'finished'
  }
  destroy(): void {
    this.did = 'destroyed'
  }
  get pendingBytes(): number {
    return this.#pieces.reduce((sum, piece) => sum + piece, 0)
  }
  read(bytes: number): void {
    for (let left = bytes; left >= (this.#pieces[0] ?? Number.POSITIVE_INFINITY); )
      left -= this.#pieces.shift()!
    this.relay.drained()
  }
}

function scene(body: Uint8Array) {
  const ended: { action: string; reason: string; bytes: number }[] = []
  const desk = {
    nowMs: () => 0,
    release: () => {},
    count: () => {},
    failedAnswer: () => ({ status: 502, body: Buffer.alloc(0) }),
    ended: (_: Exchange, { action, reason, bytes }: (typeof ended)[0]) =>
      ended.push({ action, reason, bytes }),
  }
  const client = new Client()
  const watch = new PaceWatch()
  const relay = new Relay(client, undefined, watch, false)
  client.relay = relay
  const head = { method: 'GET', target: '/', version: '1.1', host: 'example.org', fields: [] } as const
  const socket = { remoteAddress: '192.0.2.1' } as never
  const exchange = relay.bind(new Exchange(desk as never, relay, connectionOf(socket), head))
  exchange.relaying = true
  const instead: Instead = { served: { status: 200, fields: [], body }, reason: '' }
  return { client, watch, relay, exchange, instead, ended }
}

test('a large stored body waits in the store, not before a slow reader, and is ended once', () => {
  const { client, watch, relay, exchange, instead, ended } = scene(Buffer.alloc(3_000_000))
  relay.serve(exchange, instead)
  while (client.did === '') client.read(40_000)
  assert.equal(client.written, 3_000_000)
  assert.ok(client.most <= ROOM + 16_384)
  client.read(ROOM)
  relay.finished()
  assert.deepEqual(ended, [{ action: 'store', reason: '', bytes: 3_000_000 }])
  assert.equal(watch.buffered, 0)
})

test('who reads slowly but fairly is served to the end; who does not is cut', () => {
  const fair = scene(Buffer.alloc(600_000))
  fair.relay.serve(fair.exchange, fair.instead)
  // 1.6 kB/s, a minute longer than any window.
  for (let seconds = 0; seconds < 100; seconds++) {
    if (seconds % 10 === 9) fair.client.read(16_384)
    fair.watch.check(1000, 500)
  }
  assert.deepEqual(fair.ended, [])
  const slow = scene(Buffer.alloc(600_000))
  slow.relay.serve(slow.exchange, slow.instead)
  for (let seconds = 0; seconds < 25; seconds++) slow.watch.check(1000, 500)
  assert.equal(slow.ended[0]?.reason, 'slow-reading')
  assert.equal(slow.watch.buffered, 0)
})

test('a client that leaves in the middle leaves nothing behind', () => {
  const { client, watch, relay, exchange, instead, ended } = scene(Buffer.alloc(600_000))
  relay.serve(exchange, instead)
  relay.clientClosed()
  client.read(ROOM)
  assert.equal(ended.length, 1)
  assert.equal(ended[0]!.reason, 'client-gone')
  assert.equal(watch.buffered, 0)
})

test('a stored head that cannot be sent does not stand in for itself', () => {
  const { client, relay, exchange, instead, ended } = scene(Buffer.alloc(10))
  client.sends = false
  exchange.fill = { standIn: () => instead, abandoned: () => {} } as never
  relay.serve(exchange, instead)
  assert.equal(client.did, 'answer 502')
  assert.deepEqual(ended, [{ action: 'fail', reason: 'origin-bad-head', bytes: 0 }])
})
