import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { identify } from '#networks'
import { TRAITS } from '#recognise'
import { Rule } from '#rules'
import { percent, type RuleReport, RuleTrial } from './rule-trial.ts'

function rule(when: string, more: Record<string, string> = {}): Rule {
  const config = { name: 'one', when, ...more, ...Object.fromEntries([['then', more['effect'] ?? 'refuse']]) }
  return new Rule(config as never)
}

interface Asked {
  readonly minute?: number
  readonly client?: string
  readonly path?: string
  readonly agent?: string
  readonly isVisitor?: boolean
  readonly unknown?: (fact: string) => boolean
}

function ask(
  trial: RuleTrial,
  { minute = 0, client = '192.0.2.1', path = '/', agent = '', ...rest }: Asked,
): void {
  const { isVisitor, unknown } = rest
  trial.add({
    atMs: minute * 60_000,
    agent,
    ...(isVisitor === undefined ? {} : { isVisitor }),
    input: {
      head: { method: 'GET', target: path, version: '1.1', host: 'www.example.org', fields: [] },
      isSecure: false,
      client: identify(client),
      posture: 'flooded',
      traits: TRAITS.map(({ name }) => (name === 'agent' ? agent : name === 'path' ? path : '')),
      nowMs: 0,
      ...(unknown === undefined ? {} : { unknown }),
    },
  })
}

/** Of the one rule, now. */
function reportOf(trial: RuleTrial, nowMs = 0): RuleReport {
  return trial.report(nowMs).rules[0]!
}

describe('a trial', () => {
  test('tells quiet minutes from a flood by the median, and warns of more than 1 % there', () => {
    const flood = new RuleTrial([rule('path == "/search"')])
    const visitors = new RuleTrial([rule('path == "/news"')])
    for (const trial of [flood, visitors])
      for (let minute = 0; minute < 20; minute++) {
        for (let i = 0; i < 100; i++) ask(trial, { minute, path: i < 2 ? '/news' : '/' })
        if (minute >= 15) for (let i = 0; i < 500; i++) ask(trial, { minute, path: '/search' })
      }
    assert.equal(flood.report(0).quietMinutes, 15)
    assert.equal(reportOf(flood).quietShare, 0)
    assert.deepEqual(reportOf(flood).warnings, [])
    assert.equal(reportOf(visitors).quietShare, 0.02)
    assert.match(reportOf(visitors).warnings[0]!, /2 % of the requests in quiet minutes, more than 1 %/)
  })

  test('does not call minutes quiet where there are few, and says so', () => {
    const trial = new RuleTrial([rule('true')])
    for (let minute = 0; minute < 9; minute++) ask(trial, { minute })
    assert.equal(reportOf(trial).quietShare, null)
    assert.match(reportOf(trial).warnings[0]!, /too few minutes/)
  })

  test('quiet requests of which it cannot be told are no evidence that it is harmless', () => {
    const trial = new RuleTrial([rule('traits.tls == "a"')])
    for (let minute = 0; minute < 20; minute++)
      ask(trial, { minute, unknown: (fact) => fact === 'traits.tls' })
    const { quietShare, unknown, unknownFacts, warnings } = reportOf(trial)
    assert.deepEqual([quietShare, unknown, unknownFacts], [null, 20, ['traits.tls']])
    assert.match(warnings[0]!, /Of 20 requests it cannot be told: traits\.tls is not shown here/)
  })

  test('warns of visitors touched, where the source knows who they are', () => {
    const trial = new RuleTrial([rule('client.address == "192.0.2.1"')])
    for (let i = 0; i < 100; i++)
      ask(trial, { client: i < 5 ? '192.0.2.1' : '192.0.2.2', isVisitor: i % 2 === 0 })
    assert.equal(reportOf(trial).visitorShare, 3 / 50)
    assert.ok(reportOf(trial).warnings.some((warning) => /6 % of the requests of those who/.test(warning)))
  })

  test('a rule that allows does no harm to visitors', () => {
    const trial = new RuleTrial([rule('client.inNetwork("192.0.2.0/24")', { effect: 'allow' })])
    for (let minute = 0; minute < 20; minute++) ask(trial, { minute, isVisitor: true })
    assert.deepEqual(reportOf(trial).warnings, [])
  })

  test('a rule that allows what anybody may claim is told', () => {
    const trial = new RuleTrial([rule('traits.agent == "Monitor"', { effect: 'allow' })])
    ask(trial, { agent: 'Monitor' })
    assert.match(reportOf(trial).warnings.join(), /lets in whoever asks so/)
  })

  test('one that fits nothing, one that is over and a log without agents are told', () => {
    const trial = new RuleTrial([rule('traits.agent == "curl"', { until: '2020-01-01' })])
    ask(trial, {})
    const warnings = reportOf(trial, Date.parse('2026-01-01')).warnings.join('\n')
    assert.match(warnings, /fits nothing here/)
    assert.match(warnings, /ended with 2020-01-01/)
    assert.match(warnings, /No request here names a user agent/)
  })

  test('counts distinct clients well enough, few and many', () => {
    for (const count of [1, 100, 50_000]) {
      const trial = new RuleTrial([rule('true')])
      for (let i = 0; i < count; i++)
        ask(trial, { client: `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}` })
      const { clients } = reportOf(trial)
      assert.ok(Math.abs(clients - count) <= Math.max(0, count * 0.01), `${clients} for ${count}`)
    }
  })

  test('later rules are counted apart from what an earlier one would have decided', () => {
    const trial = new RuleTrial([rule('path == "/a"'), rule('true')])
    for (const path of ['/a', '/a', '/b']) ask(trial, { path })
    assert.deepEqual(
      trial.report(0).rules.map(({ requests, decidedBefore }) => [requests, decidedBefore]),
      [
        [2, 0],
        [3, 2],
      ],
    )
  })

  test('names of strangers are cut, whatever they send', () => {
    const trial = new RuleTrial([rule('true')])
    ask(trial, { path: `/${'a'.repeat(5000)}`, agent: 'b'.repeat(5000) })
    assert.ok(JSON.stringify(trial.report(0)).length < 5000)
  })
})

test('shares are written as people read them', () => {
  assert.deepEqual([0, 0.00001, 0.0005, 0.01, 0.0123, 0.5, 1].map(percent), [
    '0 %',
    'less than 0.01 %',
    '0.05 %',
    '1 %',
    '1.2 %',
    '50 %',
    '100 %',
  ])
})
