import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { count, judge, SUITE, type SuiteResults, type SuiteTest, suiteTests } from './suite.ts'

const tests = await suiteTests()

/** Results that come with the suite. */
const published = (name: string) =>
  JSON.parse(readFileSync(join(SUITE, 'results', `${name}.json`), 'utf8')) as SuiteResults

const one = (id: string, depends_on: string[] = []): SuiteTest => ({ id, name: id, depends_on })

test("the suite's own published results count as its page counts them", () => {
  const required = (name: string) => count(judge(tests, published(name)), 'required')
  assert.deepEqual(required('nginx'), { passed: 93, of: 157 })
  assert.deepEqual(required('varnish'), { passed: 105, of: 157 })
  assert.deepEqual(required('trafficserver'), { passed: 118, of: 157 })
})

test('a test counts only where those it depends on have passed, also indirectly', () => {
  const chain = [one('a'), one('b', ['a']), one('c', ['b'])]
  const verdicts = (results: SuiteResults) => judge(chain, results).map((one) => one.verdict)
  assert.deepEqual(verdicts({ a: true, b: true, c: true }), ['pass', 'pass', 'pass'])
  assert.deepEqual(verdicts({ a: ['Assertion', 'no'], b: true, c: true }), [
    'fail',
    'dependency',
    'dependency',
  ])
  assert.deepEqual(verdicts({ b: true, c: true }), ['untested', 'dependency', 'dependency'])
})

test('a failed setup, a retry and a fault of the harness are told apart', () => {
  const three = [one('a'), one('b'), one('c')]
  const judged = judge(three, {
    a: ['Setup', 'status is 503'],
    b: ['Setup', 'retry'],
    c: ['FetchError', 'reset'],
  })
  assert.deepEqual(
    judged.map((one) => one.verdict),
    ['setup', 'retry', 'fail'],
  )
  assert.equal(judged[2]!.reason, 'reset')
})
