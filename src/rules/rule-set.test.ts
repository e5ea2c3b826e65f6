import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LONGEST_TEXT, MOST_NAMES } from './facts.ts'
import { Facts, MOST_RULES, RuleError, type RuleInput, RuleSet, UnknownFact } from './mod.ts'
import { rule, type Seen, seen } from './rules.fixture.ts'

function fits(when: string, what: Seen = {}): boolean {
  const set = RuleSet.compile([rule(when)])
  const decided = set.decide(seen(what))
  assert.equal(set.counts()[0]!.failed, 0, `${when} failed`)
  return decided !== undefined
}

function faultOf(when: string): RuleError {
  try {
    RuleSet.compile([rule(when)])
  } catch (error) {
    assert.ok(error instanceof RuleError, String(error))
    return error
  }
  assert.fail(`${when} has no fault`)
}

describe('what a rule may say', () => {
  const CASES: readonly [when: string, expected: boolean, what?: Seen][] = [
    ['true', true],
    ['method == "GET"', true],
    ['method in ["POST", "PUT"]', false],
    ['path == "/search"', true],
    ['path.startsWith("/search")', true, { target: '/se%61rch' }],
    ['path == "/a%2Fb"', true, { target: '/%61%2Fb' }],
    ['path == "/search"', true, { target: '/static/../search' }],
    ['path == "/search"', true, { target: '/static/%2e%2E/./search' }],
    ['path == "/search"', true, { target: '//search?q' }],
    ['path == "/a/"', true, { target: '/a/b/..' }],
    ['path == "/"', true, { target: '/../../' }],
    ['path == "/.well-known/a..b/..."', true, { target: '/.well-known/a..b/...' }],
    ['path.startsWith("/static/")', true, { target: '/static/..%2Fsearch' }],
    ['path == "*"', true, { method: 'OPTIONS', target: '*' }],
    ['path.endsWith(".php")', true, { target: '/x.php?a' }],
    ['path.contains("ear")', true],
    ['path.matches("^/s[a-z]+$")', true],
    // Neither is something that JavaScript's own engine would do.
    ['path.matches("(?i)^/SEARCH$")', true],
    ['path.matches("(a+)+$")', false, { target: `/${'a'.repeat(2000)}!` }],
    ['path.lowerAscii() == "/a"', true, { target: '/A' }],
    ['size(path) > 100', true, { target: `/${'a'.repeat(200)}` }],
    ['query["q"] == "dikes"', true],
    ['query.q == "a b"', true, { target: '/?q=a+b' }],
    ['query["q"] == "é"', true, { target: '/?q=%C3%A9' }],
    ['query["q"] == "%FF"', true, { target: '/?q=%FF' }],
    ['query["nothing"] == ""', true],
    ['query.exists(n, n.startsWith("utm"))', true, { target: '/?a=1&utm_x=2' }],
    ['size(query) == 2', true, { target: '/?a=1&b&a=2&' }],
    ['query["a"] == "1"', true, { target: '/?a=1&a=2' }],
    ['host == "www.example.org"', true],
    ['scheme == "https" && version == "1.1"', true],
    ['headers["user-agent"].startsWith("curl/")', true],
    ['headers["User-Agent"] != ""', true],
    ['headers["x"] == "1, 2"', true, { fields: ['X', '1', 'x', '2'] }],
    ['headers.exists(n, n == "accept" && headers[n] == "*/*")', true],
    ['headers.all(n, n != "cookie")', true],
    ['headers.filter(n, n.startsWith("a")).size() == 1', true],
    ['headers["referer"] == "" ? true : false', true],
    ['client.address == "192.0.2.7"', true],
    ['client.network == "192.0.2.0/24"', true],
    ['client.asn in [64496, 64497]', true],
    ['client.inNetwork("192.0.2.0/24")', true],
    ['client.inNetwork(["198.51.100.0/24", "2001:db8::/32"])', true, { client: '2001:db8::1' }],
    ['client.inNetwork("198.51.100.0/24")', false],
    ['traits.agent == "curl"', true],
    ['["curl", "wget"].exists(w, traits.agent.contains(w))', true],
    ['traits.tls == ""', true],
    ['posture != "calm" && path.startsWith("/search") && traits.agent == "curl"', true],
    ['posture != "calm" && path.startsWith("/search") && traits.agent == "curl"', false, { posture: 'calm' }],
    ['!(method == "GET") || -1 < 2', true],
  ]
  for (const [when, expected, what] of CASES)
    test(`${when} is ${expected}${what === undefined ? '' : ` of ${JSON.stringify(what).slice(0, 60)}`}`, () => {
      assert.equal(fits(when, what), expected)
    })
})

describe('what a rule may not say', () => {
  const CASES: readonly [when: string, complaint: RegExp, column?: number][] = [
    ['', /expected an expression, got nothing/],
    ['path', /true or false, got a string \(compare it/],
    ['size(path)', /true or false, got a int/],
    ['pth == "a"', /expected path, got the unknown name "pth"/],
    ['agent == "a"', /expected traits\.agent/],
    ['asn == 1', /expected client\.asn/],
    ['zzzzzz == 1', /expected one of method, path/],
    ['true && traits.aget == "a"', /expected traits\.agent, got the unknown traits\.aget/, 16],
    ['path.mathces("a")', /expected matches/],
    ['path = "a"', /expected ==, got =/],
    ['path == "a" and host == "b"', /expected &&, got and/, 13],
    ['path == 1', /texts in quotes/],
    ['path.startsWith("a"', /Expected RPAREN/, 20],
    ['path + "a" == "b"', /rules compare, they do not calculate/],
    ['{"a": 1}.size() > 0', /no map/],
    ['b"a" == b"a"', /expected a text, a number/],
    ['has(headers.x)', /in place of has\(\)/],
    ['"x" in headers', /expected headers\["name"\]/],
    ['headers == headers', /expected headers\["name"\]/],
    ['traits == traits', /expected traits\.tls/],
    ['traits["tls"] == "a"', /expected \[\] after headers or query only/],
    ['["a"][5] == "a"', /expected \[\] after headers or query only/],
    ['client.country == "FR"', /nobody is refused for a country/],
    ['client.inNetwork("192.0.2.1/24")', /without host bits/, 18],
    ['client.inNetwork(path)', /written out/],
    ['path.inNetwork("192.0.2.0/24")', /expected client\.inNetwork/],
    ['path.contains(1)', /expected a text with \.contains\(\), got int/],
    ['path.matches(headers["x"])', /written out/],
    ['path.matches("(a")', /missing closing \)/, 14],
    ['path.matches("(?=a)")', /look-ahead/],
    ['path.matches("(a)\\\\1")', /back references/],
    ['path.matches("[ab]{100}")', /counted repetitions/],
    ['path.exists(n, n == "a")', /cannot be range|expected/],
    ['["a"].exists(path, path == "a")', /a name of its own/],
    ['["a"].exists(x, ["b"].exists(y, x == y))', /no loop within a loop/],
    ['headers.exists(n, headers[n].matches("a"))', /at most 4096 steps/],
    ['cel.bind(a, path, a == "")', /unknown function "bind"/],
    ['type(path) == string', /unknown function "type"/],
    ['path.split("/").size() > 3', /unknown function "split"/],
    ['timestamp("2026-01-01T00:00:00Z").getHours("Europe/Paris") == 1', /unknown function/],
    ['__proto__ == "a"', /Reserved identifier/],
    ['constructor == "a"', /unknown name "constructor"/],
    ['traits.constructor == "a"', /unknown traits\.constructor/],
    ['client.__proto__ == "a"', /unknown client\.__proto__/],
    ['path.constructor("a")', /unknown function "constructor"/],
    ['toString()', /unknown function/],
    ['path.length == 1', /expected no member after path/],
    [`path == "${'a'.repeat(3000)}"`, /at most 2048 characters/],
    [`${'('.repeat(100)}true${')'.repeat(100)}`, /32 levels deep/],
    [`${'!'.repeat(1500)}true`, /256 parts/],
    [Array(200).fill('host == "a"').join('||').slice(0, 2048), /./],
    [`path in [${Array(200).fill('"a"').join(',')}]`, /lists of at most 64/],
  ]
  for (const [when, complaint, column] of CASES)
    test(`${when.slice(0, 70)} gets ${complaint.source}`, () => {
      const fault = faultOf(when)
      assert.match(fault.message, complaint)
      assert.equal(fault.field, 'when')
      if (column !== undefined) assert.equal(fault.column, column)
    })

  test('a fault on the second line is on line 2', () => {
    const { line, column } = faultOf('path == "/a" &&\n  traits.aget == "x"')
    assert.deepEqual({ line, column }, { line: 2, column: 10 })
  })

  test('all faults of a list are told, names and dates among them', () => {
    const faults = RuleSet.faultsOf([
      rule('pth == "a"'),
      rule('true'),
      rule('true', 'allow', { name: 'two', until: '2026-13-01' }),
      rule('true', 'allow', { name: 'three', until: 'tomorrow' }),
    ])
    assert.deepEqual(
      faults.map(({ index, field }) => [index, field]),
      [
        [0, 'when'],
        [1, 'name'],
        [2, 'until'],
        [3, 'until'],
      ],
    )
  })

  test('a rule too many is a fault, and the others are looked at all the same', () => {
    const rules = Array.from({ length: MOST_RULES + 1 }, (_, i) => rule('true', 'allow', { name: `r${i}` }))
    assert.match(RuleSet.faultsOf(rules)[0]!.message, /at most 64 rules, got 65/)
    assert.equal(RuleSet.compile(rules.slice(1)).rules.length, MOST_RULES)
  })
})

describe('a set', () => {
  const set = () =>
    RuleSet.compile([
      rule('path == "/a"', 'allow', { name: 'a' }),
      rule('path == "/b" || path == "/a"', 'price', { name: 'b', until: '2026-12-31' }),
      rule('true', 'weight', { name: 'c', until: '2027-06-01T00:00:00+02:00' }),
    ])
  const decide = (target: string, at: string) => set().decide(seen({ target, nowMs: Date.parse(at) }))?.name

  test('the first that fits decides', () => {
    assert.equal(decide('/a', '2026-12-01T00:00:00Z'), 'a')
    assert.equal(decide('/b', '2026-12-01T00:00:00Z'), 'b')
    assert.equal(decide('/c', '2026-12-01T00:00:00Z'), 'c')
    assert.equal(decide('/c', '2028-01-01T00:00:00Z'), undefined)
  })

  test('a rule until a day holds to its end, one until a time to that time', () => {
    assert.equal(decide('/b', '2026-12-31T23:59:59Z'), 'b')
    assert.equal(decide('/b', '2027-01-01T00:00:00Z'), 'c')
    assert.equal(decide('/b', '2027-05-31T21:59:59Z'), 'c')
    assert.equal(decide('/b', '2027-05-31T22:00:00Z'), undefined)
  })

  test('counts which rule fitted how often', () => {
    const rules = set()
    for (const target of ['/a', '/a', '/b', '/c']) rules.decide(seen({ target }))
    assert.deepEqual(
      rules.counts().map(({ name, fitted, failed }) => [name, fitted, failed]),
      [
        ['a', 2, 0],
        ['b', 1, 0],
        ['c', 1, 0],
      ],
    )
  })

  test('drains what happened since the last time', () => {
    const rules = set()
    rules.decide(seen({ target: '/a' }))
    assert.deepEqual(
      rules.drain().rules.map(({ name, fitted }) => [name, fitted]),
      [['a', 1]],
    )
    assert.deepEqual(rules.drain(), { rules: [], cutRequests: 0 })
    rules.decide(seen({ target: '/b' }))
    assert.deepEqual(
      rules.drain().rules.map(({ name, fitted }) => [name, fitted]),
      [['b', 1]],
    )
    assert.equal(rules.counts()[0]!.fitted, 1)
  })

  test('what no rule looks at is never made', () => {
    const untouched = {
      ...seen(),
      get traits(): readonly string[] {
        throw new Error('made')
      },
      get client(): RuleInput['client'] {
        throw new Error('made')
      },
    }
    const rules = RuleSet.compile([rule('path == "/x" || (path == "/search" && posture == "flooded")')])
    assert.equal(rules.decide(untouched)?.name, 'one')
    assert.equal(RuleSet.EMPTY.decide(untouched), undefined)
  })

  test('traits are made once, however many rules look at them', () => {
    let made = 0
    const input = seen()
    const counting = {
      ...input,
      get traits() {
        made++
        return input.traits
      },
    }
    RuleSet.compile([
      rule('traits.agent == "a" || traits.tls == "b"', 'refuse', { name: 'a' }),
      rule('traits.agent == "c"', 'refuse', { name: 'b' }),
    ]).decide(counting)
    assert.equal(made, 1)
  })

  test('a request that a rule cannot be evaluated on is served, and counted', () => {
    const broken = {
      ...seen(),
      get posture(): string {
        throw new TypeError('broken')
      },
    }
    const rules = RuleSet.compile([
      rule('posture == "calm"', 'refuse', { name: 'a' }),
      rule('method == "GET"', 'allow', { name: 'b' }),
    ])
    assert.equal(rules.decide(broken)?.name, 'b')
    assert.deepEqual(
      rules.counts().map(({ failed }) => failed),
      [1, 0],
    )
  })

  test('says what each rule looks at', () => {
    const [one] = RuleSet.compile([
      rule(
        'traits.tls == "" && headers["X-A"] == headers.b && query.exists(n, n == "x") && client.inNetwork("192.0.2.1") && client.network != "" && size(headers) > 1',
      ),
    ]).rules
    assert.deepEqual(one!.looksAt, [
      'client.address',
      'headers',
      'headers.b',
      'headers.x-a',
      'query',
      'traits.tls',
    ])
  })
})

describe('where the source of a request does not show all', () => {
  const verdict = (when: string, unknown: readonly string[]) => {
    const input = { ...seen(), unknown: (fact: string) => unknown.includes(fact) }
    return RuleSet.compile([rule(when)]).rules[0]!.verdict(new Facts(input))
  }

  const CASES: readonly [when: string, verdict: string][] = [
    ['path == "/search"', 'fits'],
    ['traits.tls == "a"', 'unknown'],
    ['traits.tls != "a"', 'unknown'],
    ['!(traits.tls == "a")', 'unknown'],
    ['traits.tls == "a" && path == "/x"', 'not'],
    ['traits.tls == "a" && path == "/search"', 'unknown'],
    ['path == "/search" || traits.tls == "a"', 'fits'],
    ['traits.tls == "a" || path == "/search"', 'fits'],
    ['traits.tls == "a" || path == "/x"', 'unknown'],
    ['traits.tls == "a" ? true : false', 'unknown'],
    ['traits.tls.startsWith("a")', 'unknown'],
    ['["a"].exists(x, x == traits.tls)', 'unknown'],
    ['headers["accept"] == "*/*"', 'unknown'],
    ['headers["User-Agent"] == "curl/8.5.0"', 'fits'],
    ['headers.exists(n, n == "x")', 'unknown'],
    ['client.inNetwork("192.0.2.0/24")', 'fits'],
  ]
  for (const [when, expected] of CASES)
    test(`${when} is ${expected}`, () => {
      assert.equal(verdict(when, ['traits.tls', 'headers', 'headers.accept']), expected)
    })

  test('an unknown address is unknown in all its forms', () => {
    for (const when of ['client.address == "a"', 'client.network == "a"', 'client.inNetwork("192.0.2.0/24")'])
      assert.equal(verdict(when, ['client.address']), 'unknown')
  })

  test('the error is of a class of its own', () => assert.ok(new UnknownFact('x') instanceof Error))
})

describe('bounds on what a client sends', () => {
  test('a longer text is seen to its bound, and counted', () => {
    const set = RuleSet.compile([rule('headers["x"].endsWith("end")')])
    const fields = (length: number) => ['X', `${'a'.repeat(length)}end`]
    assert.ok(set.decide(seen({ fields: fields(LONGEST_TEXT - 3) })))
    assert.equal(set.cutRequests, 0)
    assert.equal(set.decide(seen({ fields: fields(LONGEST_TEXT) })), undefined)
    assert.equal(set.cutRequests, 1)
  })

  test('more names than the bound are not seen, and counted', () => {
    const set = RuleSet.compile([rule(`headers.size() == ${MOST_NAMES} && query.size() == ${MOST_NAMES}`)])
    const names = Array.from({ length: 5000 }, (_, i) => `n${i}`)
    const input = {
      fields: names.flatMap((name) => [name, '1']),
      target: `/?${names.slice(0, 900).join('&')}`,
    }
    assert.ok(set.decide(seen(input)))
    assert.equal(set.cutRequests, 1)
  })

  test('fields named like members of objects are names like others', () => {
    const fields = ['__proto__', 'a', 'constructor', 'b', 'toString', 'c', '', 'd']
    assert.ok(
      fits('headers["__proto__"] == "a" && headers["constructor"] == "b" && headers.tostring == "c"', {
        fields,
      }),
    )
    assert.ok(fits('headers.exists(n, n == "__proto__" && headers[n] == "a")', { fields }))
    assert.ok(
      fits('headers["hasownproperty"] == "" && query["__proto__"] == "x"', { target: '/?__proto__=x' }),
    )
  })
})
