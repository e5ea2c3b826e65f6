/** A reporter for node --test that writes one JSON line: the run's totals and the names of what was skipped. */
import type { TestEvent } from 'node:test/reporters'

export interface Totals {
  passed: number
  failed: number
  skipped: string[]
}

export default async function* totals(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const result: Totals = { passed: 0, failed: 0, skipped: [] }
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { data } = event
    if (data.details.type === 'suite') {
      // A suite fails with its tests; by itself only when one of its hooks does.
      if (event.type === 'test:pass' || causeOf(data.details) !== 'hookFailed') continue
    }
    if (data.skip !== undefined && data.skip !== false)
      result.skipped.push(`${data.name}${typeof data.skip === 'string' ? `: ${data.skip}` : ''}`)
    else if (data.todo !== undefined && data.todo !== false) result.skipped.push(`${data.name}: to do`)
    else if (event.type === 'test:pass') result.passed++
    else result.failed++
  }
  yield `${JSON.stringify(result)}\n`
}

function causeOf(details: object): string | undefined {
  return (details as { error?: { failureType?: string } }).error?.failureType
}
