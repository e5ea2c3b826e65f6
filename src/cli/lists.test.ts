import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EdgeReport, Policy } from '#control'
import type { ListStatus } from '#lists'
import { calmSubscribers, listHits } from './list-feed.ts'
import { NOW_MS, status } from './list-status.fixture.ts'
import { listsText } from './lists.ts'

test('lists are shown in a line each, with what there is to do', () => {
  assert.equal(
    listsText([status({}), status({ name: 'crowdsec', effect: undefined, share: undefined })], NOW_MS),
    `list      then         state  networks  age     of the visitors  hits/min
drop      refuse       acts       1234  30 min            0.2 %        12
crowdsec  by decision  acts       1234  30 min                –        12
`,
  )
  const notes = (more: Partial<ListStatus>) =>
    listsText([status(more)], NOW_MS)
      .split('\n')
      .slice(2)
      .join('\n')
  assert.match(
    notes({ standing: 'held', share: 0.031 }),
    /^! drop would touch 3.1 % of 900 clients seen in calm weather, and does nothing\. If that is right: digue lists release drop\n$/,
  )
  assert.match(notes({ standing: 'weight', clients: 12 }), /until 200 clients .*\(12 so far\)/)
  assert.match(notes({ waiting: 90_000 }), /has grown to 90000 networks; the old copy acts/)
  assert.match(notes({ fault: 'expected the list, got status 500' }), /status 500 \(again in 60 s\)/)
  assert.match(
    notes({ wrong: 2, examples: ['line 3: "\u001b[31m"'] }),
    /2 entries are no network, such as line 3: "�\[31m"/,
  )
  assert.match(notes({ local: 3, wide: 1 }), /left out 3 private or reserved, 1 wider than/)
  assert.match(listsText([], NOW_MS), /^No lists\./)
})

const report = (more: Partial<EdgeReport>) =>
  ({ sites: {}, records: [], recordsLost: 0, ...more }) as unknown as EdgeReport

test('who comes in calm weather is told, and nobody while the operator overrides', () => {
  const calm = (subscriber: string) => ({ calm: [{ asn: 1, prefix: '', subscriber, originMs: 1 }] })
  const given = report({
    sites: {
      'a.example.org': calm('192.0.2.1'),
      'b.example.org': calm('192.0.2.2'),
    } as unknown as EdgeReport['sites'],
  })
  const policy = {
    attack: 'auto',
    bypass: false,
    postures: { 'b.example.org': 'strained' },
  } as unknown as Policy
  assert.deepEqual(calmSubscribers(given, policy), ['192.0.2.1'])
  assert.deepEqual(calmSubscribers(given, { ...policy, attack: 'off' }), [])
  assert.deepEqual(calmSubscribers(given, { ...policy, bypass: true }), [])
})

test('hits are counted by list, with their share of the records that were lost', () => {
  const records = [
    { list: 'drop' },
    { list: 'drop' },
    { list: '' },
    {},
    { list: 'constructor' },
  ] as unknown as EdgeReport['records']
  assert.deepEqual(listHits(report({ records, recordsLost: 5 })), { drop: 4, constructor: 2 })
  assert.deepEqual(listHits(report({ recordsLost: 4 })), {})
})
