/**
 * Whatever happens in whatever order, nothing is left behind: no permit, nobody in line, nobody who waits for a page
 * that is on nobody's way, no flight that other threads wait for, no byte of a copy.
 *
 * Seeded and bounded in `npm test`; DIGUE_FUZZ_SEED chooses the seed.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Flights } from '#cache'
import { CALM, deskScene, FLOODED, finish } from './desk.fixture.ts'

const SEED = Number(process.env['DIGUE_FUZZ_SEED'] ?? 20_261_124)
const ROUNDS = 150
const STEPS = 250
const TARGETS = ['/', '/a', '/b', '/?r=1', '/?r=2', '/news', '/film']
const METHODS = ['GET', 'GET', 'GET', 'GET', 'HEAD', 'POST']
const FIELDS: readonly (readonly string[])[] = [
  [],
  [],
  [],
  ['cookie', 'session=1'],
  ['cache-control', 'no-cache'],
  ['cache-control', 'no-store'],
  ['cache-control', 'only-if-cached'],
  ['range', 'bytes=0-1'],
  ['range', 'bytes=2-5'],
  ['range', 'bytes=6-'],
  ['if-none-match', '"1"'],
  ['authorization', 'Basic eDp5'],
]
const ANSWERS: readonly (readonly [number, readonly string[]])[] = [
  [200, ['cache-control', 'max-age=1', 'etag', '"1"']],
  [200, ['cache-control', 'max-age=1, stale-while-revalidate=10', 'etag', '"1"']],
  [200, ['cache-control', 'max-age=60']],
  [200, ['cache-control', 'private']],
  [200, []],
  [304, ['etag', '"1"']],
  [416, ['content-range', 'bytes */3']],
  [404, []],
  [500, []],
  [503, []],
]

const PARTS: typeof ANSWERS = [
  [206, ['cache-control', 'max-age=60', 'etag', '"1"', 'content-range', 'bytes 0-5/10']],
  [206, ['cache-control', 'max-age=60', 'etag', '"1"', 'content-range', 'bytes 6-9/10']],
]

function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

type Scene = ReturnType<typeof deskScene>
type Under = ReturnType<Scene['receive']>

/** Answers what was relayed, piece by piece, and reads what is served. */
class World {
  readonly #random: (below: number) => number
  readonly scene: Scene
  readonly #elsewhere: Flights
  readonly #flying = new Set<string>()
  /** Exchanges that have not ended. */
  readonly open = new Set<Under>()
  /** Heads have come, and bodies are on their way. */
  readonly #answering = new Set<Under>()
  /** Of those, the ones whose clients see nothing of them. */
  readonly #held = new Set<Under>()
  relayed = 0
  served = 0
  /** Made whole from parts. */
  completed = 0

  constructor(random: (below: number) => number) {
    this.#random = random
    this.scene = deskScene({ limit: 1 + random(3), cache: { emergency: ['/news'], objectBytes: '1kB' } })
    this.#elsewhere = new Flights(this.scene.memory, 1)
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random(from.length)]!
  }

  step(): void {
    const { scene } = this
    switch (this.#random(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const under = scene.receive({
          method: this.#pick(METHODS),
          target: this.#pick(TARGETS),
          fields: this.#pick(FIELDS),
          peer: `198.51.${this.#random(3)}.${this.#random(3)}`,
        })
        this.open.add(under)
        break
      }
      case 4:
      case 5:
      case 6:
        this.#originSpeaks()
        break
      case 7:
        this.#clientLeaves()
        break
      case 8:
        scene.pass(this.#pick([10, 200, 1500, 3000]))
        break
      case 9:
        scene.policy(this.#pick([CALM, FLOODED, FLOODED, { ...CALM, bypass: true }]))
        break
      case 10:
        this.#otherThread()
        break
      default:
        scene.disk(() => this.#random(2) === 0)
        for (const tell of scene.library.wanted.splice(0)) tell()
    }
    this.#settle()
  }

  #originSpeaks(): void {
    const waiting = [...this.open].filter(({ carrier }) => carrier.did === 'relay')
    if (waiting.length === 0) return
    const under = this.#pick(waiting)
    const { exchange, carrier } = under
    if (!this.#answering.has(under)) {
      if (this.#random(6) === 0) {
        // No answer at all.
        const instead = exchange.fill?.standIn('failed')
        exchange.originEnded('failed')
        if (instead === undefined) finish(exchange)
        else carrier.serve(exchange, instead)
        return
      }
      const asked = exchange.fill?.conditions ?? exchange.head.fields
      const isRest = asked !== exchange.head.fields
      const isOfPart = asked.some((name) => name.toLowerCase() === 'range') && this.#random(6) > 0
      // Of the film there are only parts.
      const isFilm = exchange.head.target === '/film' && this.#random(6) > 0
      const [status, fields] = this.#pick(
        isOfPart ? [PARTS[isRest ? 1 : 0]!] : isFilm ? [[503, []] as const] : ANSWERS,
      )
      exchange.firstByte(status)
      const wish = exchange.fill?.answered(status, () => fields)
      if (wish === 'instead') {
        exchange.originEnded('answered')
        carrier.serve(exchange, exchange.fill!.instead!)
      } else if (wish !== 'again') {
        if (isOfPart && wish !== undefined)
          exchange.fill!.data(Buffer.alloc(status === 206 && fields[5]!.includes('0-5') ? 6 : 4))
        this.#answering.add(under)
        if (wish === 'hold') this.#held.add(under)
      }
      return
    }
    const isHeld = this.#held.has(under)
    switch (this.#random(4)) {
      case 0:
        // Broke off.
        if (!isHeld) finish(exchange)
        else {
          this.#again(under)
          exchange.fill!.startOver()
        }
        break
      case 1:
        exchange.fill?.completed()
        if (isHeld && exchange.fill!.instead === undefined) {
          this.#again(under)
          break
        }
        exchange.originEnded('answered')
        if (isHeld) {
          this.completed++
          this.#again(under)
          carrier.serve(exchange, exchange.fill!.instead!)
        } else finish(exchange)
        break
      default:
        exchange.fill?.data(Buffer.alloc(this.#random(isHeld ? 2 : 500)))
    }
  }

  #again(under: Under): void {
    this.#answering.delete(under)
    this.#held.delete(under)
  }

  #clientLeaves(): void {
    if (this.open.size === 0) return
    const { exchange, carrier } = this.#pick([...this.open])
    if (exchange.relaying) carrier.drop(exchange)
    else exchange.clientGone()
  }

  #otherThread(): void {
    const { memory, clock, desk } = this.scene
    const key = `http://example.org${this.#pick(TARGETS)}`
    if (this.#flying.delete(key)) {
      if (this.#elsewhere.end(key) && this.#random(4) > 0) desk.landedElsewhere(key)
    } else if (this.#elsewhere.begin(key, clock.wallMs, 30_000) === 'leads') this.#flying.add(key)
    if (this.#random(20) === 0) {
      Flights.release(memory, 1)
      this.#flying.clear()
    }
  }

  /** Clients read what they are served; what has ended is not looked at any more. */
  #settle(): void {
    for (const under of this.open) {
      const { exchange, carrier } = under
      if (!exchange.ended && carrier.did === 'serve' && this.#random(2) === 0) {
        this.served++
        finish(exchange)
      }
      if (!exchange.ended) continue
      if (carrier.did === 'relay') this.relayed++
      this.open.delete(under)
      this.#again(under)
    }
  }

  /** Everybody who is there is answered or leaves. */
  end(): void {
    const { scene } = this
    scene.disk(() => false)
    for (let n = 0; n < 400 && this.open.size > 0; n++) {
      this.#originSpeaks()
      for (const tell of scene.library.wanted.splice(0)) tell()
      scene.pass(400)
      this.#settle()
    }
  }
}

test('nothing is left behind', () => {
  let relayed = 0
  let served = 0
  let completed = 0
  for (let round = 0; round < ROUNDS; round++) {
    const world = new World(randomFrom(SEED + round))
    for (let step = 0; step < STEPS; step++) world.step()
    world.end()
    const { scene } = world
    const where = `seed ${SEED + round}`
    assert.equal(world.open.size, 0, `${where}: somebody waits for ever`)
    // Refreshes are the desk's own: their origin never answers here, and they are given up.
    for (const handler of scene.handlers) handler.onError!(new Error('the end'))
    scene.pass(5000)
    assert.equal(scene.pipeline.active, 0, where)
    const { inFlight, waiting } = scene.gate.report()
    assert.deepEqual([inFlight, waiting, scene.site.tally.waiting], [0, 0, 0], where)
    assert.equal(scene.capacity.state(0).inFlight, 0, where)
    assert.equal(scene.picked.open, 0, `${where}: an origin was picked and never told of`)
    assert.ok(scene.desk.reserve(64 * 1024 * 1024), `${where}: bytes of a copy`)
    Flights.release(scene.memory, 1)
    const other = new Flights(scene.memory, 2)
    for (const target of TARGETS) {
      const key = `http://example.org${target}`
      assert.equal(other.begin(key, scene.clock.wallMs, 30_000), 'leads', `${where}: ${target} flies`)
      other.end(key)
    }
    relayed += world.relayed
    served += world.served
    completed += world.completed
  }
  // Worlds in which nothing happens would leave nothing behind either.
  assert.ok(relayed > 20 * ROUNDS && served > 5 * ROUNDS, `${relayed} relayed, ${served} served`)
  assert.ok(completed > 0, 'no part became the whole')
})
