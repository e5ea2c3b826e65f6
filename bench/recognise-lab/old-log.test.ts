import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compared } from './old-log.ts'

const events = [
  { kind: 'crowd', fromS: 100, toS: 200 },
  { kind: 'flood', fromS: 300, toS: 360 },
  { kind: 'flood', fromS: 500, toS: 560 },
] as const
const found = (...at: readonly number[]) => ({
  sites: [{ incidents: [{ signatures: at.map((s) => ({ firstAtMs: s * 1000, reason: `at ${s}` })) }] }],
})

test('a signature belongs to the flood that it came with; in a crowd or in calm weather it is wrong', () => {
  assert.deepEqual(compared(found(302, 301, 565), events), { foundS: [1, 65], wrong: [] })
  assert.deepEqual(compared(found(150, 301, 480), events), { foundS: [1, null], wrong: ['at 150', 'at 480'] })
})
