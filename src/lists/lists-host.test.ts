import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { NetworkSet } from '#networks'
import { type ListEvent, type Lists, startLists } from './mod.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-lists-'))
after(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'list.txt')

/** Lists in their thread; `next` resolves with the set that fits. */
function start(): {
  lists: Lists
  events: ListEvent[]
  until(fits: (set: NetworkSet) => boolean): Promise<NetworkSet>
} {
  const events: ListEvent[] = []
  let set = NetworkSet.EMPTY
  let look = () => {}
  const lists = startLists({
    folder: join(folder, 'state'),
    userAgent: 'digue/test',
    onEvent: (event) => events.push(event),
    onChange: (memory) => {
      set = new NetworkSet(memory)
      look()
    },
  })
  return {
    lists,
    events,
    until: (fits) =>
      new Promise((resolve) => {
        look = () => {
          if (fits(set)) resolve(set)
        }
        look()
      }),
  }
}

test('lists live in a thread of their own, answer, and end', async () => {
  writeFileSync(file, '192.0.2.0/24\n')
  const { lists, until } = start()
  await assert.rejects(lists.refresh(), /there are no lists/)
  assert.deepEqual(await lists.status(), [])
  lists.configure([{ name: 'one', file, format: 'auto' }])
  await until((set) => set.find('192.0.2.1') !== undefined)
  const [status] = await lists.status()
  assert.equal(status!.networks, 1)
  assert.equal(status!.standing, 'acting')
  lists.hits({ one: 3 })
  assert.equal((await lists.refresh('one'))[0]!.hitsPerMinute, 3)
  await assert.rejects(lists.refresh('two'), /there is no list "two"; there are one/)
  await assert.rejects(lists.release('one'), /list one is not held back/)
  lists.configure([])
  await until((set) => set.isEmpty)
  lists.configure([{ name: 'one', file, format: 'auto' }])
  await until((set) => !set.isEmpty)
  await lists.close()
})

test('a thread that dies leaves what is in force, and another takes its place', async () => {
  writeFileSync(file, '192.0.2.0/24\n')
  const { lists, events, until } = start()
  lists.configure([{ name: 'one', file, format: 'auto' }])
  await until((set) => set.find('192.0.2.1') !== undefined)
  const asked = lists.status()
  lists.kill()
  await asked.catch(() => {})
  writeFileSync(file, '192.0.2.0/24\n198.51.100.0/24\n')
  await until((set) => {
    assert.ok(!set.isEmpty, 'the set was withdrawn')
    return set.find('198.51.100.1') !== undefined
  })
  assert.ok(events.some((event) => event.code === 'lists-died'))
  await lists.close()
})
