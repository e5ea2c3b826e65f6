import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { type LinearRegex, LONGEST_SUBJECT, linearRegex } from './linear-regex.ts'

function regex(pattern: string): LinearRegex {
  const compiled = linearRegex(pattern)
  assert.ok(!('fault' in compiled), 'fault' in compiled ? compiled.fault : '')
  return compiled
}

/** Patterns that make backtracking explode, with the text that does it. */
const BOMBS: readonly [pattern: string, text: string][] = [
  ['(a+)+$', `${'a'.repeat(LONGEST_SUBJECT - 1)}!`],
  ['(a|aa)+$', `${'a'.repeat(LONGEST_SUBJECT - 1)}!`],
  ['(x+x+)+y', 'x'.repeat(LONGEST_SUBJECT)],
  ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(LONGEST_SUBJECT)],
  ['(.*)(.*)(.*)(.*)(.*)z', 'a'.repeat(LONGEST_SUBJECT)],
]

describe('regular expressions', () => {
  for (const [pattern, text] of BOMBS)
    test(`${pattern} ends on a text made for it`, () => {
      assert.equal(regex(pattern).test(text), false)
    })

  test('JavaScript’s own engine does not: it is still at work when this one has done a thousand', async () => {
    const [pattern, text] = BOMBS[0]!
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads')
       parentPort.postMessage('begun')
       new RegExp(${JSON.stringify(pattern)}).test(${JSON.stringify(text)})
       parentPort.postMessage('done')`,
      { eval: true },
    )
    const messages: unknown[] = []
    worker.on('message', (message) => messages.push(message))
    await new Promise((resolve) => worker.once('message', resolve))
    const mine = regex(pattern)
    for (let i = 0; i < 1000; i++) mine.test(text)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(messages, ['begun'])
    await worker.terminate()
  })

  test('it finds anywhere, unless it is anchored, and knows no case with (?i)', () => {
    assert.ok(regex('b+').test('abba'))
    assert.ok(!regex('^b').test('abba'))
    assert.ok(regex('(?i)CURL|wget').test('x curl/8'))
  })

  test('a text is looked at to its bound', () => {
    assert.ok(regex('z').test(`${'a'.repeat(LONGEST_SUBJECT - 1)}z`))
    assert.ok(!regex('z').test(`${'a'.repeat(LONGEST_SUBJECT)}z`))
  })

  test('a large program looks at less', () => {
    const words = Array.from({ length: 14 }, (_, i) => `${String.fromCharCode(97 + i)}robot`)
    const large = regex(words.join('|'))
    assert.ok(large.test(`${'-'.repeat(240)}arobot`))
    assert.ok(!large.test(`${'-'.repeat(2000)}arobot`))
  })

  test('what is large is refused with advice', () => {
    const faultOf = (pattern: string) => (linearRegex(pattern) as { fault: string }).fault
    assert.match(faultOf('a'.repeat(600)), /at most 512 characters, got 600/)
    assert.match(faultOf('a'.repeat(400)), /at most 128 instructions/)
    assert.match(faultOf('(?:.*a.{20}){4}$'), /counted repetitions/)
    assert.match(faultOf('(?:[ab]{0,15}a){6}$'), /at most 128 instructions/)
    assert.match(faultOf('a{1001}'), /invalid repeat count/)
    assert.match(faultOf('(?:a{100}){100}'), /invalid repeat count/)
    assert.match(faultOf('[z-a]'), /invalid character class range/)
    assert.match(faultOf('(?<=a)b'), /look-ahead and look-behind/)
    assert.ok(!('fault' in linearRegex('^[0-9a-f]{32}$')))
    assert.ok(!('fault' in linearRegex('[{2}]a')))
  })

  test('it agrees with JavaScript’s engine on plain patterns', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', 'a?', 'b*', '(?:a|b)', '^', '$', 'a+')
    fc.assert(
      fc.property(
        fc.array(atom, { minLength: 1, maxLength: 6 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1'), maxLength: 12 }),
        (atoms, text) => {
          const pattern = atoms.join('')
          const mine = linearRegex(pattern)
          if ('fault' in mine) return
          assert.equal(mine.test(text), new RegExp(pattern).test(text), `${pattern} on ${text}`)
        },
      ),
    )
  })
})
