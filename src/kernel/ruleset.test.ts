import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addElements, fillTable, makeTable, readCounts } from './ruleset.ts'

const shape = { table: 'digue', maxEntries: 100, ports: [80, 443] }

test('the chain is before connection tracking, and only for the ports that Digue listens on', () => {
  const text = fillTable(shape)
  assert.match(text, /hook prerouting priority -310; policy accept/)
  for (const rule of text.split('\n').filter((line) => line.startsWith('add rule')))
    assert.match(
      rule,
      /^add rule inet digue early ip6? saddr .*tcp dport @ports counter name dropped[46] drop$/,
    )
  assert.match(text, /ports \{ 80, 443 \}/)
})

test('with sets only there is no chain and no rule', () => {
  assert.doesNotMatch(fillTable({ ...shape, ports: undefined }), /chain|rule|counter/)
})

test('a table of ours is owned where the system can', () => {
  assert.equal(makeTable(shape, { owned: true }), 'add table inet digue { flags owner; }\n')
  assert.equal(makeTable(shape, { owned: false }), 'add table inet digue\n')
})

test('elements carry the time they have left; those that have none are left out', () => {
  const text = addElements(
    shape,
    [
      { text: '192.0.2.1', version: 4, endsAtMs: 60_500 },
      { text: '2001:db8::', version: 6, endsAtMs: 20_000 },
      { text: '192.0.2.2', version: 4, endsAtMs: 1000 },
    ],
    1000,
  )
  assert.equal(
    text,
    'add element inet digue drop4 { 192.0.2.1 timeout 60s }\nadd element inet digue drop6 { 2001:db8:: timeout 19s }\n',
  )
})

test('counts of both versions are added up', () => {
  assert.deepEqual(readCounts('counter dropped4 {\n\t\tpackets 3 bytes 180\n\t}\n packets 1 bytes 80\n'), {
    packets: 4,
    bytes: 260,
  })
  assert.deepEqual(readCounts('nonsense'), { packets: 0, bytes: 0 })
})
