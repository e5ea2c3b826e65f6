import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KeyRing } from './keys.ts'
import { readTicket, TICKET_S, type Ticket, writeTicket } from './ticket.ts'

const keys = new KeyRing(Buffer.alloc(32, 7))
const nowS = 1_800_000_000
const site = 'example.org'
const fresh: Ticket = { issuedS: nowS, joinedS: 0, dueS: nowS + 1, tries: 0 }
const text = writeTicket(keys, site, fresh)

const anyTicket: fc.Arbitrary<Ticket> = fc
  .record({
    issuedS: fc.integer({ min: nowS - 300, max: nowS + 30 }),
    waitedS: fc.option(fc.integer({ min: 0, max: 65_534 }), { nil: undefined }),
    dueInS: fc.integer({ min: 0, max: 60 }),
    tries: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ issuedS, waitedS, dueInS, tries }) => ({
    issuedS,
    joinedS: waitedS === undefined ? 0 : issuedS - waitedS,
    dueS: issuedS + dueInS,
    tries,
  }))

describe('ticket', () => {
  test('what is written is read again, in 36 characters that need no escaping in a URL', () => {
    fc.assert(
      fc.property(anyTicket, (ticket) => {
        const written = writeTicket(keys, site, ticket)
        assert.match(written, /^[\w.-]{36}$/)
        assert.deepEqual(readTicket(keys, site, written, nowS), ticket)
      }),
    )
  })

  test('any other character at any place makes it no ticket', () => {
    const others = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=%é ')
    fc.assert(
      fc.property(anyTicket, fc.nat(35), others, (ticket, at, other) => {
        const written = writeTicket(keys, site, ticket)
        fc.pre(written[at] !== other)
        const changed = written.slice(0, at) + other + written.slice(at + 1)
        assert.equal(typeof readTicket(keys, site, changed, nowS), 'string')
      }),
      { numRuns: 2000 },
    )
  })

  test('another site does not believe it, nor does another key', () => {
    assert.equal(readTicket(keys, 'www.example.org', text, nowS), 'forged')
    assert.equal(readTicket(new KeyRing(Buffer.alloc(32, 8)), site, text, nowS), 'forged')
  })

  test('nobody is waited for longer than ten minutes after they were due', () => {
    assert.equal(typeof readTicket(keys, site, text, fresh.dueS + TICKET_S), 'object')
    assert.equal(readTicket(keys, site, text, fresh.dueS + TICKET_S + 1), 'expired')
  })

  test('one from the future is believed for as long as clocks may differ', () => {
    assert.equal(typeof readTicket(keys, site, text, nowS - 30), 'object')
    assert.equal(readTicket(keys, site, text, nowS - 31), 'future')
  })

  test('it outlives the change of keys', () => {
    const changeS = keys.period(nowS) * 30 * 86_400
    const before = { ...fresh, issuedS: changeS - 5, dueS: changeS + 20 }
    assert.deepEqual(readTicket(keys, site, writeTicket(keys, site, before), changeS + 20), before)
  })

  test('anything else that comes is a fault and never an exception', () => {
    for (const junk of [
      '',
      '.',
      '1',
      '1.',
      '1..',
      text.slice(0, -1),
      `${text}A`,
      text.replace('1.', '2.'),
      ` ${text}`,
    ])
      assert.equal(readTicket(keys, site, junk, nowS), 'malformed', junk)
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (junk) => {
        assert.equal(typeof readTicket(keys, site, junk, nowS), 'string')
      }),
    )
  })

  test('values out of range are cut to what fits', () => {
    const odd = writeTicket(keys, site, { issuedS: nowS, joinedS: nowS - 1e6, dueS: nowS - 9, tries: 99 })
    assert.deepEqual(readTicket(keys, site, odd, nowS), {
      issuedS: nowS,
      joinedS: nowS - 65_534,
      dueS: nowS,
      tries: 3,
    })
    const ahead = writeTicket(keys, site, { ...fresh, joinedS: nowS + 20 })
    assert.equal((readTicket(keys, site, ahead, nowS) as Ticket).joinedS, nowS)
  })
})
