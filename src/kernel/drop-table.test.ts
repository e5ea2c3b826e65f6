import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { DropTable, type TableEvent, type TableSettings } from './drop-table.ts'
import type { Surroundings } from './guard.ts'
import { FakeKernel } from './nft.fixture.ts'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

const SETTINGS: TableSettings = {
  mode: 'own',
  table: 'digue',
  maxEntries: 100,
  ports: [80],
  never: ['203.0.113.0/24'],
}

function stage(settings: Partial<TableSettings> = {}, kernel = new FakeKernel()) {
  let nowMs = 0
  let surroundings: Surroundings = { addresses: [] }
  const events: TableEvent[] = []
  const table = new DropTable(
    { ...SETTINGS, ...settings },
    {
      open: (onEnd) => kernel.open(onEnd),
      look: async () => surroundings,
      now: () => nowMs,
      onEvent: (event) => events.push(event),
    },
  )
  return {
    table,
    kernel,
    events,
    codes: () => events.map(({ code }) => code),
    see: (addresses: readonly string[]) => (surroundings = { addresses }),
    /** Lets time pass, a turn at a time. */
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 100) {
        nowMs += Math.min(100, left)
        mock.timers.tick(Math.min(100, left))
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

test('there is no table before somebody is silenced, and none a minute after the last', async () => {
  const { table, kernel, pass, codes } = stage()
  await pass(5000)
  assert.equal(kernel.sessions.length, 0)
  assert.deepEqual(table.drop(['192.0.2.1', '2001:db8::1'], 5), { added: 2, known: 0, refused: 0, full: 0 })
  await pass(300)
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.1'])
  assert.deepEqual(kernel.elements('drop6'), ['2001:db8::'])
  assert.equal(table.status().state, 'active')
  await pass(70_000)
  assert.equal(kernel.tables.size, 0)
  assert.equal(table.status().state, 'idle')
  assert.deepEqual(codes(), ['kernel-table'])
  table.drop(['192.0.2.1'], 5)
  await pass(300)
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.1'], 'it comes back with the next')
})

test('what comes within 100 ms goes in as one transaction', async () => {
  const { table, kernel, pass } = stage()
  table.drop(['192.0.2.1'], 60)
  await pass(300)
  const { commands } = kernel.sessions[0]!
  const before = commands.length
  for (let n = 2; n < 50; n++) table.drop([`192.0.2.${n}`], 60)
  await pass(100)
  assert.equal(commands.length, before + 1)
  assert.equal(kernel.elements('drop4').length, 49)
})

test('who is said twice stands once; beyond the cap nobody more, and it is counted', async () => {
  const { table, kernel, pass, codes } = stage({ maxEntries: 2 })
  assert.equal(table.drop(['192.0.2.1', '192.0.2.1'], 60).known, 1)
  assert.deepEqual(table.drop(['192.0.2.2', '192.0.2.3', '192.0.2.4'], 60), {
    added: 1,
    known: 0,
    refused: 0,
    full: 2,
  })
  await pass(300)
  assert.equal(kernel.elements('drop4').length, 2)
  assert.equal(table.status().full, 2)
  assert.equal(codes().filter((code) => code === 'kernel-full').length, 1, 'said once')
})

test('a main process gone mad cannot keep nft busy: entries per second are bounded', async () => {
  const { table, pass } = stage({ maxEntries: 100 })
  let added = 0
  for (let round = 0; round < 50; round++) {
    added += table.drop(
      Array.from({ length: 1000 }, (_, n) => `198.18.${round}.${n % 256}`),
      1,
    ).added
    table.release('all')
  }
  assert.equal(added, 100)
  await pass(1000)
  assert.equal(table.drop(['192.0.2.1'], 1).added, 1)
})

test('nobody of the operator’s or the machine’s is silenced, and who turns out to be is let go', async () => {
  const { table, kernel, pass, see } = stage()
  see(['198.51.100.1'])
  await table.look()
  assert.equal(table.drop(['203.0.113.9', '198.51.100.1', '10.0.0.1', 'x'], 60).refused, 4)
  assert.deepEqual(table.status().refused, { 'not-an-address': 1, reserved: 1, listed: 1, own: 1 })
  table.drop(['192.0.2.1', '192.0.2.2'], 60)
  await pass(300)
  // The operator logs in from an address that is silenced already.
  see(['192.0.2.1'])
  await pass(11_000)
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.2'])
})

test('a ruleset flushed by another program is made again within two seconds, with all that still stand', async () => {
  const kernel = new FakeKernel()
  kernel.knowsOwners = false
  const { table, pass, codes } = stage({}, kernel)
  table.drop(['192.0.2.1'], 5)
  table.drop(['192.0.2.2', '2001:db8::1'], 600)
  await pass(300)
  assert.equal(table.status().owned, false)
  await pass(6000)
  kernel.flush()
  assert.deepEqual(kernel.elements('drop4'), [])
  await pass(2200)
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.2'])
  assert.deepEqual(kernel.elements('drop6'), ['2001:db8::'])
  assert.ok(kernel.tables.get('digue')!.chain)
  assert.equal(table.status().remade, 1)
  assert.ok(codes().includes('kernel-flushed'))
})

test('an owned table outlives a flush, and goes with nft; then both come again', async () => {
  const { table, kernel, pass, codes } = stage()
  table.drop(['192.0.2.1'], 600)
  await pass(300)
  assert.equal(table.status().owned, true)
  kernel.flush()
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.1'])
  kernel.sessions[0]!.die()
  assert.equal(kernel.tables.size, 0)
  assert.equal(table.status().state, 'fault')
  await pass(1500)
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.1'])
  assert.deepEqual(codes(), ['kernel-table', 'kernel-fault', 'kernel-table'])
})

test('without the privilege it says so once, tries again ever more rarely, and works as soon as it may', async () => {
  const kernel = new FakeKernel()
  kernel.mayChange = false
  const { table, pass, codes, events } = stage({}, kernel)
  table.drop(['192.0.2.1'], 600)
  await pass(30_000)
  assert.equal(table.status().state, 'fault')
  assert.deepEqual(codes(), ['kernel-fault'])
  assert.match(events[0]!.message, /CAP_NET_ADMIN/)
  assert.ok(kernel.sessions[0]!.commands.length < 30)
  kernel.mayChange = true
  await pass(60_000)
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.1'])
})

test('another helper’s table is left alone', async () => {
  const kernel = new FakeKernel()
  const first = stage({}, kernel)
  const second = stage({}, kernel)
  first.table.drop(['192.0.2.1'], 600)
  await first.pass(300)
  second.table.drop(['192.0.2.2'], 600)
  await second.pass(300)
  assert.equal(second.table.status().state, 'fault')
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.1'])
})

test('a release ends the silence of a network, of a /64 by any address in it, or of all', async () => {
  const { table, kernel, pass } = stage()
  table.drop(['192.0.2.1', '192.0.2.200', '198.51.100.1', '2001:db8:1:2::3', '2001:db8:2::1'], 600)
  await pass(300)
  assert.equal(table.release(['192.0.2.128/25', '2001:db8:1:2::ffff', 'nonsense']), 2)
  await pass(600)
  assert.deepEqual(kernel.elements('drop4'), ['192.0.2.1', '198.51.100.1'])
  assert.deepEqual(kernel.elements('drop6'), ['2001:db8:2::'])
  assert.equal(table.release('all'), 3)
  await pass(600)
  assert.deepEqual([...kernel.elements('drop4'), ...kernel.elements('drop6')], [])
})

test('with sets only, the operator’s table keeps its rules and is emptied at the end, not removed', async () => {
  const kernel = new FakeKernel()
  kernel.tables.set('filter', {
    owner: undefined,
    sets: new Map([
      ['drop4', new Set()],
      ['drop6', new Set()],
    ]),
    chain: true,
  })
  const { table, pass } = stage({ mode: 'set-only', table: 'filter' }, kernel)
  table.drop(['192.0.2.1'], 600)
  await pass(300)
  assert.deepEqual(kernel.elements('drop4', 'filter'), ['192.0.2.1'])
  // The firewall is loaded anew.
  kernel.tables.get('filter')!.sets.get('drop4')!.clear()
  await pass(2200)
  assert.deepEqual(kernel.elements('drop4', 'filter'), ['192.0.2.1'])
  await table.close()
  assert.ok(kernel.tables.get('filter')!.chain)
  assert.equal(kernel.tables.get('filter')!.sets.get('drop4')!.size, 0)
  assert.equal(kernel.tables.size, 1)
})

test('with sets only, what is missing is made', async () => {
  const { table, kernel, pass } = stage({ mode: 'set-only', table: 'mine' })
  table.drop(['192.0.2.1'], 600)
  await pass(300)
  assert.deepEqual(kernel.elements('drop4', 'mine'), ['192.0.2.1'])
  assert.equal(kernel.tables.get('mine')!.chain, false)
})

test('the end takes the table away, and what was under way does not bring it back', async () => {
  const { table, kernel, pass } = stage()
  table.drop(['192.0.2.1'], 600)
  await pass(100)
  await table.close()
  await pass(5000)
  assert.equal(kernel.tables.size, 0)
  assert.equal(table.status().entries.v4, 0)
})

test('packets are counted', async () => {
  const { table, kernel, pass } = stage()
  table.drop(['192.0.2.1'], 600)
  await pass(300)
  kernel.packets = 7
  await pass(2200)
  kernel.packets = 3
  await pass(2200)
  assert.equal(table.status().packets, 10)
  assert.equal(table.status().bytes, 600)
})
