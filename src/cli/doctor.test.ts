import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListStatus } from '#lists'
import { checkLists } from './doctor.ts'
import { NOW_MS, status } from './list-status.fixture.ts'

test('the doctor says which list does not act, why, and what to do', () => {
  const cases: [Partial<ListStatus>, RegExp, RegExp][] = [
    [{ fault: 'answered 404' }, /drop fails: answered 404; what came 30 min ago is in force/, /curl/],
    [{ fault: 'is not there', source: 'file', updatedAtMs: 0 }, /nothing of it is in force/, /the file/],
    [{ fault: 'answered 403', source: 'crowdsec' }, /answered 403/, /cscli/],
    [
      { standing: 'held', share: 0.018 },
      /held back and does nothing: 1\.8 % of 900 clients/,
      /digue lists release drop/,
    ],
    [{ standing: 'left-out' }, /2,000,000 networks/, /named before it/],
    [{ waiting: 40_000 }, /grown to 40000 networks/, /digue lists release drop/],
  ]
  for (const [changes, message, advice] of cases) {
    const [finding, ...others] = checkLists([status({ name: 'fine' }), status(changes)], NOW_MS)
    assert.deepEqual(others, [])
    assert.equal(finding?.level, 'warn')
    assert.match(finding.message, message)
    assert.match(finding.advice, advice)
  }
})

test('lists that act, or do not yet know calm weather, are no trouble; no lists are no finding', () => {
  assert.deepEqual(checkLists([], NOW_MS), [])
  assert.match(checkLists([status()], NOW_MS)[0]!.message, /^1 of 1 act in full$/)
  const [young] = checkLists([status(), status({ standing: 'weight' })], NOW_MS)
  assert.equal(young!.level, 'good')
  assert.match(young!.message, /1 of 2 act in full; the others weigh at most/)
})
