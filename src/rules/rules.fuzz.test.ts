/**
 * Hostile expressions and hostile requests. Laws: compiling ends in a rule or in a RuleError that says what was expected;
 * deciding never throws; what compiled fails on no request; what a client sends cannot be longer at work
 * than the estimate allows (bounded here by the number of steps, never by a clock).
 *
 * Seeded and bounded in `npm test`; DIGUE_FUZZ_SECONDS runs longer, DIGUE_FUZZ_SEED chooses the seed.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TRAITS } from '#recognise'
import { RuleError, RuleSet } from './mod.ts'
import { rule, seen } from './rules.fixture.ts'

const SEED = Number(process.env['DIGUE_FUZZ_SEED'] ?? 20_261_124)
const SECONDS = Number(process.env['DIGUE_FUZZ_SECONDS'] ?? 0)
const RUNS = SECONDS > 0 ? Number.MAX_SAFE_INTEGER : 3000
const settings = {
  seed: SEED,
  numRuns: RUNS,
  ...(SECONDS > 0 ? { interruptAfterTimeLimit: SECONDS * 1000, markInterruptAsFailure: false } : {}),
}

const WORDS = [
  ...['method', 'path', 'query', 'host', 'headers', 'posture', 'client', 'traits', 'scheme', 'version'],
  ...[
    '.',
    '.',
    '[',
    ']',
    '(',
    ')',
    '(',
    ')',
    ',',
    '?',
    ':',
    '{',
    '}',
    '&&',
    '||',
    '!',
    '==',
    '!=',
    '<',
    'in',
    '+',
    '-',
  ],
  ...[
    '"a"',
    "'b'",
    '"""c"""',
    'r"\\d"',
    'b"x"',
    '1',
    '-1',
    '1.5',
    '0x7fffffffffffffff',
    '1u',
    'true',
    'null',
    '\n',
    '//x\n',
  ],
  ...[
    'startsWith',
    'contains',
    'matches',
    'exists',
    'all',
    'filter',
    'map',
    'size',
    'inNetwork',
    'has',
    'bind',
    'cel',
  ],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'valueOf',
    'hasOwnProperty',
    'type',
    'dyn',
    'string',
    'int',
  ],
  ...[
    'asn',
    'address',
    'agent',
    'tls',
    'x',
    'n',
    '"(a+)+$"',
    '"192.0.2.0/24"',
    '"__proto__"',
    '"constructor"',
  ],
]
const noise = fc.oneof(
  fc.array(fc.constantFrom(...WORDS), { maxLength: 24 }).map((words) => words.join(' ')),
  fc.array(fc.constantFrom(...WORDS), { maxLength: 24 }).map((words) => words.join('')),
  fc.string({ maxLength: 200 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
)

/** Expressions that mostly compile. */
const text = fc.oneof(
  fc.constantFrom(
    'method',
    'path',
    'host',
    'scheme',
    'version',
    'posture',
    'client.address',
    'client.network',
  ),
  fc.constantFrom(...TRAITS.map(({ name }) => `traits.${name}`)),
  fc.constantFrom(
    'headers["x"]',
    'headers["__proto__"]',
    'headers.constructor',
    'query["q"]',
    'query["toString"]',
    'query.constructor',
  ),
  fc.string({ maxLength: 6 }).map((literal) => JSON.stringify(literal)),
  fc.constantFrom('path', 'headers["cookie"]').map((one) => `${one}.lowerAscii()`),
)
const { condition } = fc.letrec<{ condition: string }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.tuple(text, fc.constantFrom('==', '!=', '<'), text).map((parts) => parts.join(' ')),
    fc
      .tuple(text, fc.constantFrom('startsWith', 'endsWith', 'contains'), text)
      .map(([a, f, b]) => `${a}.${f}(${b})`),
    fc
      .tuple(text, fc.constantFrom('(a+)+$', '^/.*x', '(?i)a|b', '(x*)*y'))
      .map(([a, p]) => `${a}.matches("${p}")`),
    fc.tuple(text, text, text).map(([a, b, c]) => `${a} in [${b}, ${c}]`),
    fc.constantFrom(
      'client.asn == 64496',
      'client.inNetwork(["192.0.2.0/24", "::/0"])',
      'size(path) > 10',
      'query.size() < 5',
    ),
    fc
      .tuple(
        fc.constantFrom('headers', 'query'),
        fc.constantFrom('exists', 'all', 'exists_one'),
        fc.constantFrom('contains', 'startsWith'),
        text,
      )
      .map(([map, loop, f, part]) => `${map}.${loop}(n, n.${f}(${part}) || ${map}[n] == ${part})`),
    fc
      .tuple(tie('condition'), fc.constantFrom('&&', '||'), tie('condition'))
      .map(([a, op, b]) => `(${a}) ${op} (${b})`),
    tie('condition').map((a) => `!(${a})`),
    fc
      .tuple(tie('condition'), tie('condition'), tie('condition'))
      .map(([a, b, c]) => `(${a}) ? (${b}) : (${c})`),
  ),
}))

const octets = (maxLength: number) =>
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength }).map((codes) => String.fromCharCode(...codes))
const value = fc.oneof(
  octets(40),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'a'.repeat(8192),
    `${'a'.repeat(8000)}!`,
    '\ud800',
    '%',
    '%zz',
    '%u0041',
  ),
)
const name = fc.oneof(
  octets(8),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'x', 'X', 'cookie', ''),
)
const request = fc.record({
  method: fc.oneof(fc.constantFrom('GET', 'POST'), octets(5)),
  target: fc.oneof(
    fc.tuple(value, value).map(([path, query]) => `/${path}?${query}`),
    fc
      .array(fc.tuple(name, value), { maxLength: 6 })
      .map((pairs) => `/?${pairs.map((pair) => pair.join('=')).join('&')}`),
    octets(20),
    fc.constantFrom('*', '', '?', '/?&&&=&=', `/?${'&'.repeat(8000)}`, `/?${'a=1&'.repeat(2000)}`),
  ),
  host: octets(10),
  fields: fc.array(fc.tuple(name, value), { maxLength: 20 }).map((pairs) => pairs.flat()),
  client: fc.constantFrom('192.0.2.7', '2001:db8::1', '::'),
  posture: fc.constantFrom('calm', 'flooded'),
})

function compiled(when: string): RuleSet | undefined {
  try {
    return RuleSet.compile([rule(when)])
  } catch (error) {
    assert.ok(error instanceof RuleError, `${when}: ${(error as Error).stack}`)
    assert.match(error.message, /^expected /, when)
    assert.ok(error.message.length < 700, error.message)
    assert.ok(error.line >= 1 && error.column >= 1, when)
    return undefined
  }
}

test('noise compiles or is a fault with a place; what compiles fails on no request', () => {
  fc.assert(
    fc.property(noise, request, (when, what) => {
      const set = compiled(when)
      if (set === undefined) return
      set.decide(seen(what))
      assert.equal(set.counts()[0]!.failed, 0, when)
    }),
    settings,
  )
})

test('conditions of the language fail on no request, whatever bytes it is made of', () => {
  let decided = 0
  fc.assert(
    fc.property(condition, request, (when, what) => {
      const set = compiled(when)
      if (set === undefined) return
      set.decide(seen(what))
      decided++
      assert.equal(set.counts()[0]!.failed, 0, when)
    }),
    settings,
  )
  assert.ok(decided > 500, `only ${decided} compiled`)
})

test('nothing that a rule does changes what objects are', () => {
  const before = Object.getOwnPropertyNames(Object.prototype).length
  const set = RuleSet.compile([rule('headers.exists(n, headers[n] == "a") || query.all(n, query[n] == "b")')])
  set.decide(
    seen({ fields: ['__proto__', 'polluted', 'constructor', 'x'], target: '/?__proto__[a]=1&constructor=2' }),
  )
  assert.equal(Object.getOwnPropertyNames(Object.prototype).length, before)
  assert.equal(({} as Record<string, unknown>)['a'], undefined)
})
