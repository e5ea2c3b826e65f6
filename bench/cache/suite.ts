/**
 * The tests of `http-cache-tests` and how its results read. The suite reports `true` or a reason per test;
 * what that means depends on the kind of the test and on those it depends on, as in its `lib/display.mjs`,
 * which needs a browser's document and so cannot be asked.
 *
 * Its page counts the tests of the specification; those of Surrogate-Control, a field of its own, which
 * its command line adds, are left out here as there.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export const SUITE = dirname(createRequire(import.meta.url).resolve('http-cache-tests/package.json'))

/** `required`: what a cache must not do wrong; `optimal`: what it may do better; `check`: how it behaves. */
export type Kind = 'required' | 'optimal' | 'check'

export interface SuiteTest {
  readonly id: string
  readonly name: string
  readonly kind?: Kind
  readonly depends_on?: readonly string[]
  readonly browser_only?: boolean
}

/** What the suite's runner says of each test. */
export type SuiteResults = Readonly<Record<string, true | readonly [name: string, message: string]>>

/**
 * `dependency`: a test that it depends on did not pass. `setup`: what had to happen first did not.
 * `retry`: the request was sent twice, so nothing can be said.
 */
export type Verdict = 'pass' | 'fail' | 'dependency' | 'setup' | 'retry' | 'untested'

export interface Judged {
  readonly id: string
  readonly kind: Kind
  readonly verdict: Verdict
  /** Of what did not pass. */
  readonly reason: string
}

/** The suite's modules have no types; this is what they export. */
export async function suiteModule<T>(path: string): Promise<T> {
  return (await import(join(SUITE, path))) as T
}

export interface SuiteGroup {
  readonly tests: readonly SuiteTest[]
}

export async function suiteTests(): Promise<SuiteTest[]> {
  const { default: groups } = await suiteModule<{ default: readonly SuiteGroup[] }>('tests/index.mjs')
  return groups.flatMap((group) => group.tests).filter((test) => test.browser_only !== true)
}

export function suiteVersion(): string {
  return (JSON.parse(readFileSync(join(SUITE, 'package.json'), 'utf8')) as { version: string }).version
}

export function judge(tests: readonly SuiteTest[], results: SuiteResults): Judged[] {
  const byId = new Map(tests.map((test) => [test.id, test]))
  const known = new Map<string, Judged>()
  const judgeOne = (test: SuiteTest): Judged => {
    const before = known.get(test.id)
    if (before) return before
    const said = verdict(test)
    const judged: Judged = { id: test.id, kind: test.kind ?? 'required', ...said }
    known.set(test.id, judged)
    return judged
  }
  const verdict = (test: SuiteTest): Pick<Judged, 'verdict' | 'reason'> => {
    const result = results[test.id]
    if (result === undefined) return { verdict: 'untested', reason: '' }
    for (const id of test.depends_on ?? []) {
      const needed = byId.get(id)
      if (!needed || judgeOne(needed).verdict !== 'pass')
        return { verdict: 'dependency', reason: `depends on ${id}` }
    }
    if (result === true) return { verdict: 'pass', reason: '' }
    const [name, message] = result
    if (name !== 'Setup') return { verdict: 'fail', reason: message }
    return { verdict: message === 'retry' ? 'retry' : 'setup', reason: message }
  }
  return tests.map(judgeOne)
}

export interface Count {
  readonly passed: number
  readonly of: number
}

export function count(judged: readonly Judged[], kind: Kind): Count {
  const these = judged.filter((one) => one.kind === kind)
  return { passed: these.filter((one) => one.verdict === 'pass').length, of: these.length }
}
