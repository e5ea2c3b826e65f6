import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { playLine, seeded } from './line.fixture.ts'
import { type Standing, type Waiter, WaitingLine, weightInLine } from './line.ts'
import { createLineMemory, type LineSizes } from './line-memory.ts'
import { LineTurns } from './line-turns.ts'

const key = { k0: 11, k1: 12 }
const EPOCH_S = 1_800_000_000

/** A line with both halves, at a second of its own. */
class Room {
  readonly memory
  readonly line
  readonly turns
  second = 0
  wallS = EPOCH_S
  rate = 10

  constructor(sizes: LineSizes = {}, wallS = EPOCH_S) {
    this.memory = createLineMemory({ key, ...sizes })
    this.line = new WaitingLine(this.memory)
    this.turns = new LineTurns(this.memory)
    this.wallS = wallS
    this.pass(0)
  }

  get nowS(): number {
    return this.wallS + this.second
  }

  pass(seconds: number): void {
    for (let quarter = 0; quarter < seconds * 4; quarter++) {
      this.second += 0.25
      this.turns.tick(this.second * 1000, Math.floor(this.nowS), this.rate)
    }
    if (seconds === 0) this.turns.tick(this.second * 1000, Math.floor(this.nowS), this.rate)
  }

  stand(who: Waiter, ticket?: { joinedS: number; dueS: number }, random = 0): Standing {
    return this.line.stand(who, ticket, { nowS: Math.floor(this.nowS), random })
  }

  waiting(who: Waiter, ticket?: { joinedS: number; dueS: number }): Extract<Standing, { admitted: false }> {
    const standing = this.stand(who, ticket)
    assert.equal(standing.admitted, false)
    return standing as Extract<Standing, { admitted: false }>
  }
}

const UNKNOWN = weightInLine(0, 0)
const at = (prefix: string, host: number | string, weight = UNKNOWN): Waiter => ({
  prefix: `${prefix}.0/24`,
  subscriber: `${prefix}.${host}`,
  weight,
})
const alice = at('192.0.2', 7)
/** A ticket whose holder comes when due. */
const due = (standing: Standing) => ({ joinedS: standing.joinedS, dueS: 0 })

describe('waiting line', () => {
  test('whoever is alone is let in at the first poll', () => {
    const room = new Room()
    const { pollS, waitS, ahead, joinedS } = room.waiting(alice)
    assert.deepEqual(ahead, [0, 0])
    assert.ok(waitS[0] <= pollS && pollS <= waitS[1])
    room.pass(pollS)
    assert.deepEqual(room.stand(alice, due({ admitted: true, joinedS })), { admitted: true, joinedS })
  })

  test('a subscriber has one place, however many tickets it takes', () => {
    const room = new Room()
    room.rate = 0
    const first = room.stand(alice)
    for (let i = 0; i < 1000; i++) {
      assert.equal(room.stand(alice).joinedS, first.joinedS)
      if (i % 100 === 0) room.pass(1)
    }
    assert.equal(room.turns.state().waiting, 1)
  })

  test('a flood of tickets lengthens only the line of its own network', () => {
    const room = new Room()
    room.rate = 0
    for (let host = 1; host < 255; host++) room.stand(at('203.0.113', host))
    room.pass(2)
    const bystander = room.waiting(alice)
    const neighbour = room.waiting(at('203.0.113', 'neighbour'))
    assert.deepEqual(bystander.ahead, [0, 0])
    assert.ok(neighbour.ahead[0] >= 200 && neighbour.ahead[1] >= 254)
  })

  test('lines with somebody waiting are called in turn, so the last of many lines waits for one round', () => {
    const room = new Room()
    for (let i = 0; i < 100; i++) for (let host = 1; host < 10; host++) room.stand(at(`10.0.${i}`, host))
    room.pass(5)
    const { joinedS } = room.waiting(alice)
    let seconds = 0
    while (!room.stand(alice, { joinedS, dueS: 0 }).admitted && seconds < 60) {
      room.pass(1)
      seconds++
    }
    // 100 lines at 9 a second, and not the 900 who came before.
    assert.ok(seconds <= 14, `${seconds} s`)
  })

  test('a prefix that calm weather knows is called before a thousand that it does not', () => {
    const room = new Room()
    for (let i = 0; i < 1000; i++) room.stand(at(`10.${i >> 8}.${i & 255}`, 1))
    room.pass(10)
    const visitor = at('198.51.100', 3, weightInLine(0.1, 0.01))
    const { joinedS } = room.waiting(visitor)
    room.pass(3)
    assert.equal(room.stand(visitor, { joinedS, dueS: 0 }).admitted, true)
    assert.ok(room.turns.state().waiting > 800)
  })

  test('polling early begins the wait anew, and adds no place', () => {
    const room = new Room()
    room.rate = 0
    const first = room.waiting(alice)
    room.pass(4)
    const ticket = { joinedS: first.joinedS, dueS: Math.floor(room.nowS) + 3 }
    const again = room.waiting(alice, ticket)
    assert.equal(again.joinedS, first.joinedS + 4)
    room.pass(4)
    assert.equal(room.turns.state().waiting, 1)
    // Without the ticket there is no other place to go back to.
    assert.equal(room.waiting(alice).joinedS, again.joinedS)
  })

  test('two seconds too early is not early', () => {
    const room = new Room()
    room.rate = 0
    const first = room.waiting(alice)
    room.pass(3)
    assert.equal(
      room.stand(alice, { joinedS: first.joinedS, dueS: Math.floor(room.nowS) + 2 }).joinedS,
      first.joinedS,
    )
  })

  test('somebody who polls early all the time only ever stands at the end', () => {
    const room = new Room()
    room.rate = 1
    for (let host = 1; host <= 40; host++) room.stand(at('192.0.2', `patient ${host}`))
    let ticket = { joinedS: room.stand(alice).joinedS, dueS: 0 }
    let letIn = -1
    for (let second = 0; second < 60 && letIn < 0; second++) {
      room.pass(1)
      const standing = room.stand(alice, ticket)
      if (standing.admitted) letIn = second
      else ticket = { joinedS: standing.joinedS, dueS: Math.floor(room.nowS) + standing.pollS }
    }
    assert.ok(letIn > 0)
    assert.equal(room.turns.state().waiting, 0, 'let in before those who waited')
  })

  test('a ticket keeps its holder’s turn over a restart', () => {
    const before = new Room()
    before.rate = 0
    const patient = before.stand(alice)
    before.pass(60)
    const after = new Room({}, EPOCH_S + 60)
    after.rate = 0
    for (let host = 1; host < 100; host++) after.stand(at('192.0.2', `late ${host}`))
    after.pass(3)
    const { joinedS, ahead } = after.waiting(alice, due(patient))
    assert.equal(joinedS, patient.joinedS)
    after.pass(1)
    assert.ok(ahead[0] === 0)
    after.rate = 5
    after.pass(2)
    assert.equal(after.stand(alice, due(patient)).admitted, true)
  })

  test('a ticket that ten thousand copy lets none of them in: each has a place in its own line', () => {
    const room = new Room()
    const original = room.stand(alice)
    room.pass(3)
    assert.equal(room.stand(alice, due(original)).admitted, true)
    let letIn = 0
    for (let i = 0; i < 10_000; i++) {
      if (i % 1000 === 0) room.pass(0)
      const copier = at(`10.${i >> 8}.${i & 255}`, 1)
      if (room.stand(copier, due(original)).admitted) letIn++
    }
    assert.equal(letIn, 0)
    room.pass(5)
    assert.ok(room.turns.state().waiting > 9900)
  })

  test('a turn that was used is over: the same ticket stands at the end', () => {
    const room = new Room()
    const ticket = due(room.stand(alice))
    room.pass(3)
    assert.equal(room.stand(alice, ticket).admitted, true)
    room.line.shown(alice.subscriber)
    room.pass(31)
    const standing = room.waiting(alice, ticket)
    assert.equal(standing.joinedS, Math.floor(room.nowS))
  })

  test('people behind one address share a place and are let in together', () => {
    const room = new Room()
    const one = room.stand(alice)
    const other = room.stand(alice)
    assert.equal(one.joinedS, other.joinedS)
    room.pass(5)
    assert.equal(room.stand(alice, due(one)).admitted, true)
    room.line.shown(alice.subscriber)
    room.pass(8)
    assert.equal(room.stand(alice, due(other)).admitted, true)
  })

  test('a turn is good for two requests, one every two seconds, whoever asks how often', () => {
    const room = new Room()
    room.stand(alice)
    room.pass(3)
    room.rate = 0
    let asked = 0
    for (let i = 0; i < 400; i++) {
      if (room.stand(alice).admitted) {
        asked++
        room.line.shown(alice.subscriber)
      }
      if (i % 100 === 99) room.pass(1)
    }
    assert.equal(asked, 2)
  })

  test('who has been called and shed by the lane keeps its turn', () => {
    const room = new Room()
    const { joinedS } = room.stand(alice)
    for (let poll = 0; poll < 10; poll++) {
      room.pass(5)
      assert.deepEqual(room.stand(alice, { joinedS, dueS: 0 }), { admitted: true, joinedS })
    }
  })

  test('a phone that changes networks keeps its turn', () => {
    const room = new Room()
    room.rate = 0
    const first = room.stand(alice)
    room.pass(20)
    const elsewhere = at('198.51.100', 9)
    assert.equal(room.stand(elsewhere, due(first)).joinedS, first.joinedS)
    assert.equal(room.stand(at('198.51.100', 10)).joinedS, Math.floor(room.nowS))
  })

  test('no-shows are skipped: those who come are let in at the rate', () => {
    const room = new Room()
    room.rate = 8
    // Four fifths of the places belong to nobody any more.
    for (let i = 0; i < 4000; i++) room.stand(at(`10.${i >> 8}.${i & 255}`, 1))
    let letIn = 0
    for (let second = 0; second < 180; second++) {
      room.pass(1)
      for (let i = second % 5; i < 800; i += 5) {
        const who = at(`10.${(i * 5) >> 8}.${(i * 5) & 255}`, 1)
        if (letIn < 800 && room.stand(who, { joinedS: EPOCH_S, dueS: 0 }).admitted) {
          letIn++
          room.line.shown(who.subscriber)
        }
      }
    }
    assert.ok(letIn > 600, `${letIn} of 800 in 180 s at 8/s, past 3,200 who do not come`)
    assert.ok(room.turns.state().requestsPerCall < 0.5)
  })

  test('a wall clock set back an hour neither sticks anybody nor lets anybody in', () => {
    for (const jumpS of [-3600, 3600, -20, 20]) {
      const room = new Room()
      room.rate = 0
      const first = room.stand(alice)
      const second = at('192.0.2', 'second')
      room.pass(10)
      room.stand(second)
      room.wallS += jumpS
      assert.equal(room.stand(second).admitted, false)
      room.pass(1)
      // The clock's jump made every ticket early, late or future; whoever reads them may have refused them.
      for (const ticket of [undefined, { joinedS: first.joinedS, dueS: first.joinedS + 15 }]) {
        assert.equal(room.waiting(alice, ticket).joinedS, first.joinedS + jumpS)
        assert.equal(room.waiting(at('198.51.100', `new ${jumpS}`), undefined).joinedS, Math.floor(room.nowS))
      }
      room.rate = 10
      room.pass(3)
      assert.equal(room.stand(alice).admitted, true, `jump of ${jumpS} s`)
      assert.equal(room.stand(second).admitted, true, `jump of ${jumpS} s`)
    }
  })

  test('an edge whose clock is wrong for a moment lets nobody in', () => {
    const room = new Room()
    room.rate = 0
    room.stand(alice)
    room.pass(2)
    for (const nowS of [0, -1, Number.MAX_SAFE_INTEGER, EPOCH_S - 3600, EPOCH_S + 3600])
      assert.equal(room.line.stand(at('192.0.2', nowS), undefined, { nowS, random: 0.5 }).admitted, false)
  })

  test('what one thread enters, the others see', () => {
    const room = new Room()
    const other = new WaitingLine(room.memory)
    const { joinedS } = room.stand(alice)
    const now = { nowS: room.nowS, random: 0 }
    assert.equal(other.stand(alice, undefined, now).joinedS, joinedS)
    room.pass(3)
    assert.equal(other.stand(alice, undefined, now).admitted, true)
    other.shown(alice.subscriber)
    other.shown(alice.subscriber)
    assert.equal(room.stand(alice).admitted, false)
  })

  test('while the main thread stands still nobody is called, and afterwards two seconds are made up for', () => {
    const room = new Room()
    room.rate = 100
    for (let i = 0; i < 1000; i++) room.stand(at(`10.${i >> 8}.${i & 255}`, 1))
    const { called } = room.turns.state()
    room.second += 30
    for (let i = 0; i < 1000; i++) assert.equal(room.stand(at(`10.${i >> 8}.${i & 255}`, 1)).admitted, false)
    room.turns.tick(room.second * 1000, Math.floor(room.nowS), room.rate)
    assert.ok(room.turns.state().called - called <= 200)
  })

  test('a full log is counted, and whom it lost is told again', () => {
    const room = new Room({ log: 16 })
    const many = Array.from({ length: 200 }, (_, i) => at(`10.0.${i}`, 1))
    for (const who of many) room.stand(who)
    assert.equal(room.turns.state().lost, 184)
    for (let second = 0; second < 100; second++) {
      room.pass(1)
      for (let i = second % 10; i < 200; i += 10) room.stand(many[i]!)
    }
    assert.ok(many.every((who) => room.stand(who).admitted || room.stand(who).joinedS > 0))
    room.pass(3)
    assert.ok(many.filter((who) => room.stand(who).admitted).length >= 195)
  })

  test('more subscribers than the table holds are counted, and everybody is called all the same', () => {
    const room = new Room({ subscribers: 64 })
    room.rate = 100
    for (let i = 0; i < 500; i++) room.stand(at(`10.1.${i & 255}`, i))
    assert.ok(room.turns.state().evicted > 300)
    const { joinedS } = room.stand(alice)
    room.pass(5)
    assert.equal(room.stand(alice, { joinedS, dueS: 0 }).admitted, true)
    room.pass(20)
    assert.equal(room.turns.state().waiting, 0)
  })

  test('within a line, who joined earlier is called no later', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ joins: fc.integer({ min: 0, max: 5 }), restS: fc.integer({ min: 0, max: 40 }) }),
          {
            minLength: 1,
            maxLength: 25,
          },
        ),
        fc.integer({ min: 1, max: 40 }),
        (steps, tenths) => {
          const room = new Room({ lines: 16, subscribers: 256 })
          room.rate = tenths / 10
          const people: { who: Waiter; joinedS: number }[] = []
          const isInOrder = () => {
            const called = people.map(({ who }) => room.stand(who).admitted)
            const waiting = called.indexOf(false)
            assert.ok(waiting === -1 || !called.includes(true, waiting), `${called}`)
          }
          for (const { joins, restS } of steps) {
            for (let i = 0; i < joins; i++) {
              const who = at('192.0.2', people.length)
              people.push({ who, joinedS: room.stand(who).joinedS })
            }
            // A turn is tried every two seconds at most.
            room.pass(restS + 2)
            if (people.length > 0) isInOrder()
          }
          // And everybody's turn comes.
          room.rate = 50
          room.pass(130)
          assert.ok(people.every(({ who }) => room.stand(who).admitted))
          assert.equal(room.turns.state().waiting, 0)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('the range of those ahead holds the true number', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 60 }), (rests) => {
        const room = new Room({ lines: 16 })
        room.rate = 0
        const joined: number[] = []
        for (const [i, restS] of rests.entries()) {
          joined.push(room.stand(at('192.0.2', i)).joinedS)
          room.pass(restS)
        }
        room.pass(1)
        for (const i of [0, joined.length >> 1, joined.length - 1]) {
          const { ahead } = room.waiting(at('192.0.2', i))
          const before = joined.filter((s) => s < joined[i]!).length
          const others = joined.filter((s) => s <= joined[i]!).length - 1
          assert.ok(ahead[0] <= before && others <= ahead[1], `${ahead} for ${before} to ${others}`)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('polls are 5 to 30 s apart, grow with the wait, and spread', () => {
    const room = new Room()
    room.rate = 0.1
    for (let host = 1; host < 200; host++) room.stand(at('192.0.2', host))
    room.pass(2)
    const polls = Array.from({ length: 20 }, (_, i) => {
      const standing = room.stand(at('192.0.2', `late ${i}`), undefined, i / 20)
      return standing.admitted ? 0 : standing.pollS
    })
    assert.ok(Math.min(...polls) >= 20 && Math.max(...polls) <= 30)
    assert.ok(new Set(polls).size >= 4)
    assert.equal(room.waiting(at('203.0.113', 1)).pollS >= 5, true)
  })

  test('odd weights and rates break nothing', () => {
    const room = new Room({ lines: 64 })
    const random = seeded(5)
    for (const [i, weight] of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 1e-300].entries()) {
      room.stand(at(`10.0.${i}`, 1, weight))
      room.rate = [Number.NaN, -5, 0, Number.POSITIVE_INFINITY, 1e9, 1][i]!
      room.pass(1 + Math.floor(random() * 3))
    }
    room.rate = 10
    room.pass(10)
    assert.equal(room.turns.state().waiting, 0)
  })
})

/** Let in within two minutes at 77 a second; the figures of longer runs are in docs/decisions/waiting-room.md. */
describe('visitors without JavaScript are let in', () => {
  const flood = { visitorsPerMinute: 6, seconds: 150, patienceS: 130 }

  test('among 4,000 tickets a second from 2,000 addresses of hosting networks', () => {
    const bots = { source: 'hosting', addresses: 2000, perSecond: 4000, manner: 'fresh' } as const
    const { within120Share, mostWaiting } = playLine({ ...flood, bots })
    assert.ok(within120Share >= 0.9, `${within120Share}`)
    assert.ok(mostWaiting <= 2100, `${mostWaiting} places for 2,000 addresses`)
  })

  test('among bots that poll early, and among bots that take places and do not come', () => {
    for (const manner of ['early', 'absent'] as const) {
      const bots = { source: 'hosting', addresses: 2000, perSecond: 4000, manner } as const
      const { within120Share } = playLine({ ...flood, seconds: 90, bots })
      assert.ok(within120Share >= 0.9, `${manner}: ${within120Share}`)
    }
  })

  test('among bots in all prefixes of the visitors’ own providers', () => {
    const bots = { source: 'providers', addresses: 2000, perSecond: 4000, manner: 'fresh' } as const
    const { within120Share } = playLine({ ...flood, bots })
    assert.ok(within120Share >= 0.9, `${within120Share}`)
  })

  test('among 20,000 addresses of proxies; in one line for all they would not be', () => {
    const bots = { source: 'proxies', addresses: 20_000, perSecond: 4000, manner: 'fresh' } as const
    const apart = playLine({ ...flood, bots })
    assert.ok(apart.within120Share >= 0.9, `${apart.within120Share}`)
    const together = playLine({ ...flood, seconds: 90, bots, sizes: { lines: 1 } })
    assert.ok(together.within120Share <= 0.1, `${together.within120Share} in one line`)
  })

  test('without a baseline as well, as long as the flood is no larger than 2,000 addresses', () => {
    const bots = { source: 'hosting', addresses: 2000, perSecond: 4000, manner: 'fresh' } as const
    const { within120Share } = playLine({ ...flood, bots, hasBaseline: false })
    assert.ok(within120Share >= 0.9, `${within120Share}`)
  })
})
