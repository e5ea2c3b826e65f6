import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLEARANCE_S, dayOf, writeClearance, writeKnown } from '#challenge'
import type { Policy } from '#control'
import { buildNetworkSet } from '#networks'
import { EFFECTS, type Effect, type Signature, signatureId, type Term, TRAITS, traitsOf } from '#recognise'
import { ANSWERED, decision, scene as pipelineScene, value } from '../pipeline.fixture.ts'

const AGENT = ['User-Agent', 'FloodTool/1.0']
const PERSON = [
  'Accept',
  'text/html',
  'User-Agent',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
]

/** What the trait `agent` is of those fields. */
function agentOf(fields: readonly string[]): string {
  const traits = traitsOf({
    method: 'GET',
    target: '/',
    host: '',
    fields,
    secure: false,
    httpVersion: '1.1',
    isDirect: true,
    ja4: '',
    h2: '',
    asn: 0,
    lane: 'unproven',
    hasOwnCookie: false,
  })
  return traits[TRAITS.findIndex(({ name }) => name === 'agent')]!
}

function signature(
  effect: Signature['effect'],
  terms: readonly Term[],
  more: Partial<Signature> = {},
): Signature {
  return {
    id: signatureId(terms),
    terms,
    effect,
    isPinned: false,
    publishedAtMs: 0,
    expiresAtMs: Date.now() + 60_000,
    support: 0.6,
    baseline: 0,
    baselineAtMost: 0.001,
    lift: 600,
    visitors: 0,
    reason: '',
    ...more,
  }
}

const OF_AGENT: readonly Term[] = [{ trait: 'agent', value: agentOf(AGENT) }]

function policyOf(...signatures: readonly Signature[]): Partial<Policy> {
  return { signatures: { 'example.org': { signatures, familiar: {} } } }
}

function scene(options: Parameters<typeof pipelineScene>[0] = {}) {
  const stage = pipelineScene(options)
  const { keys, clock } = stage.entrance
  const { nowS } = clock
  const id = Buffer.alloc(8, 1).toString('base64url')
  const clearance = writeClearance(keys, 'example.org', {
    id,
    effort: 16,
    budgetMs: 320,
    issuedS: nowS,
    expiresS: nowS + CLEARANCE_S,
  })
  const today = dayOf(nowS)
  const known = writeKnown(keys, 'example.org', {
    id,
    firstDay: today - 3,
    lastDay: today - 1,
    days: 2,
    login: false,
  })
  const cookies = {
    none: [],
    paid: ['Cookie', `digue_c=${clearance}`],
    known: ['Cookie', `digue_k=${known}`],
  }
  /** What became of a request with the flood's handwriting, and who answered it. */
  const ask = (lane: keyof typeof cookies = 'none', asked: Parameters<typeof stage.receive>[0] = {}) =>
    stage.receive({ ...asked, fields: [...(asked.fields ?? AGENT), ...cookies[lane]] })
  const site = stage.house.findSite('example.org')!
  const records = () => stage.pipeline.recorder.drain().records
  return { ...stage, ask, site, records }
}

test('a signature of weight marks who fits it and has proved nothing, and is counted', () => {
  const one = signature('weight', OF_AGENT)
  const { ask, site, records } = scene({ policy: policyOf(one) })
  const { exchange, carrier } = ask()
  assert.equal(exchange.marked, true)
  assert.equal(carrier.did, 'relay')
  exchange.end(ANSWERED)
  assert.equal(ask('none', { fields: PERSON }).exchange.marked, false)
  assert.equal(ask('paid').exchange.signature, one.id)
  assert.equal(ask('known').exchange.signature, one.id)
  assert.deepEqual(site.recognition.drain().signatures, [{ id: one.id, requests: 3, proven: 2 }])
  assert.equal(site.recognition.drain().signatures, undefined)
  assert.equal(records()[0]?.signature, one.id)
})

test('each effect lets those pass whom it should', () => {
  const passes = {
    weight: { none: true, paid: true, known: true },
    price: { none: false, paid: true, known: true },
    wait: { none: false, paid: false, known: true },
    refuse: { none: false, paid: false, known: true },
  } as const
  for (const effect of ['weight', 'price', 'wait', 'refuse'] as const) {
    const { ask, records } = scene({ policy: policyOf(signature(effect, OF_AGENT)) })
    for (const lane of ['none', 'paid', 'known'] as const) {
      const { carrier } = ask(lane)
      assert.equal(carrier.did === 'relay', passes[effect][lane], `${effect} ${lane}`)
      if (passes[effect][lane]) continue
      assert.equal(carrier.status, effect === 'refuse' ? 403 : 503)
      assert.equal(value(carrier, 'digue-mitigated'), 'signature')
      const { action, reason } = records().at(-1)!
      assert.equal(`${action} ${reason}`, 'refuse signature', 'it must not look like overload')
    }
    assert.equal(ask('none', { fields: PERSON }).carrier.did, 'relay', `${effect}: somebody else`)
  }
})

test('a person under a price is led to a page, first in few bytes', () => {
  const { ask } = scene({ policy: policyOf(signature('price', OF_AGENT)) })
  const { carrier } = ask('none', { fields: [...AGENT, 'Accept', 'text/html'] })
  assert.equal(carrier.status, 503)
  assert.match(value(carrier, 'refresh')!, /^1;url=\/\?digue=/)
  assert.equal(value(carrier, 'digue-mitigated'), 'wait;reason=signature')
  const { carrier: again } = ask('none', {
    target: value(carrier, 'refresh')!.slice('1;url='.length),
    fields: [...AGENT, 'Accept', 'text/html'],
  })
  assert.equal(value(again, 'digue-mitigated'), 'challenge;reason=signature')
})

test('where a turn in the waiting room counts nobody is asked for effort, and the turn lets him in', () => {
  const { ask, entrance } = scene({ policy: policyOf(signature('wait', OF_AGENT)) })
  const { clock, turns } = entrance
  const startS = clock.nowS
  for (const lane of ['none', 'paid'] as const) {
    let cookie = ''
    let target = '/'
    let answered = ''
    for (let steps = 0; steps < 60 && answered !== 'relay'; steps++) {
      const fields = [...AGENT, 'Accept', 'text/html', ...(cookie === '' ? [] : ['Cookie', cookie])]
      const { carrier } = ask(lane, { target, fields, peer: lane === 'none' ? '192.0.2.1' : '192.0.2.2' })
      answered = carrier.did
      if (answered === 'relay') break
      // With cookies the ticket leaves the address; without, it stays there.
      if (carrier.status === 302) {
        target = value(carrier, 'location')!
        continue
      }
      assert.doesNotMatch(value(carrier, 'digue-mitigated')!, /challenge/)
      if (lane === 'paid') cookie = value(carrier, 'set-cookie')!.split(';')[0]!
      const [, afterS, url] = /^(\d+);url=(.*)$/.exec(value(carrier, 'refresh')!)!
      target = url!
      clock.nowS += Number(afterS)
      turns.tick((clock.nowS - startS) * 1000, clock.nowS, 10)
    }
    assert.equal(answered, 'relay', lane)
  }
})

test('feeds, monitors and emergency pages are neither asked to pay nor to wait', () => {
  for (const effect of ['price', 'wait'] as const) {
    const { ask } = scene({ policy: policyOf(signature(effect, OF_AGENT)) })
    const { carrier, exchange } = ask('none', { target: '/robots.txt' })
    assert.equal(carrier.did, 'relay')
    assert.equal(exchange.marked, true)
  }
})

test('a decision that allows, a key and a search engine are not touched', () => {
  const { ask, site } = scene({
    site: {
      challenge: {
        crawlerRanges: ['203.0.113.0/24'],
        tokens: [{ name: 'monitor', header: 'X-Key', sha256: KEY_HASH, lane: 'paid' }],
      },
    },
    policy: {
      ...policyOf(signature('refuse', OF_AGENT)),
      decisions: [decision('allow', { cidr: '198.51.100.0/24' })],
    },
  })
  assert.equal(ask('none', { peer: '198.51.100.1' }).carrier.did, 'relay')
  assert.equal(ask('none', { peer: '203.0.113.1' }).carrier.did, 'relay')
  assert.equal(ask('none', { fields: [...AGENT, 'X-Key', 'secret'] }).carrier.did, 'relay')
  assert.equal(site.recognition.drain().signatures, undefined)
  assert.equal(ask().carrier.status, 403)
})
/** SHA-256 of "secret". */
const KEY_HASH = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'

test('observe mode records what would have been done, and lets all pass', () => {
  for (const effect of ['price', 'wait', 'refuse'] as const) {
    const { ask, records, gate } = scene({
      site: { mode: 'observe' },
      policy: policyOf(signature(effect, OF_AGENT)),
    })
    const { carrier, exchange } = ask()
    assert.equal(carrier.did, 'relay')
    exchange.end(ANSWERED)
    assert.equal(records()[0]?.reason, 'observed-signature')
    assert.deepEqual(gate.calls.slice(0, 1), ['ask'])
  }
})

test('under bypass, and when the operator says there is no attack, signatures do nothing', () => {
  for (const policy of [{ bypass: true }, { attack: 'off' }] as const) {
    const { ask } = scene({ policy: { ...policyOf(signature('refuse', OF_AGENT)), ...policy } })
    assert.equal(ask().carrier.did, 'relay')
    const { ask: askPrice } = scene({ policy: { ...policyOf(signature('price', OF_AGENT)), ...policy } })
    assert.equal(askPrice().carrier.did, 'relay')
  }
})

test('a signature ends by itself, and a site may do without', () => {
  const over = signature('refuse', OF_AGENT, { expiresAtMs: Date.now() - 1 })
  assert.equal(scene({ policy: policyOf(over) }).ask().carrier.did, 'relay')
  const live = signature('refuse', OF_AGENT)
  const without = scene({ policy: policyOf(live), site: { signatures: false } })
  assert.equal(without.ask().carrier.did, 'relay')
  assert.deepEqual(without.site.recognition.drain(), {})
})

test('a policy of which a signature has run out is looked at again by the tick', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
  const short = signature('refuse', OF_AGENT, { expiresAtMs: 1_030_000 })
  const { ask, pipeline } = scene({ policy: policyOf(short) })
  assert.equal(ask().carrier.status, 403)
  t.mock.timers.setTime(1_030_000)
  for (let i = 0; i < 25; i++) pipeline.tick()
  assert.equal(ask().carrier.did, 'relay')
})

test('the sample shows who asks and by what right; nobody’s is taken who is allowed', () => {
  const { ask, site } = scene({ policy: { decisions: [decision('allow', { cidr: '198.51.100.0/24' })] } })
  ask('paid')
  ask('none', { peer: '198.51.100.1' })
  ask('none', { peer: '203.0.113.5', target: '/search?q=1' })
  const { traits } = site.recognition.drain()
  assert.deepEqual(
    traits?.map(({ subscriber, lane }) => `${subscriber} ${lane}`),
    ['192.0.2.1 paid', '203.0.113.5 unproven'],
  )
  const names = TRAITS.map(({ name }) => name)
  assert.equal(traits![0]!.traits[names.indexOf('clearance')], 'paid')
  assert.equal(traits![0]!.traits[names.indexOf('cookies')], 'own')
  assert.equal(traits![1]!.traits[names.indexOf('path')], '/search?')
})

test('a hello is marked by signatures of nothing but TLS and network, of the site that it names', () => {
  const tls: Term = { trait: 'tls', value: 't13d1516h2_8daaf6152771_b186095e22b6' }
  const { pipeline } = scene({
    config: {
      sites: [
        { hosts: ['example.org'], origins: ['http://127.0.0.1:9'] },
        { hosts: ['other.example'], origins: ['http://127.0.0.1:9'] },
      ],
    },
    policy: policyOf(
      signature('weight', [tls]),
      signature('weight', [{ trait: 'tls', value: 'x' }, ...OF_AGENT]),
    ),
  })
  const client = { text: '192.0.2.1', version: 4, prefix: '', subscriber: '', asn: 64500 } as const
  const isMarked = (name: string, ja4: string) => pipeline.isMarked(client, name, () => ja4)
  assert.equal(isMarked('example.org', tls.value), true)
  assert.equal(isMarked('', tls.value), true)
  assert.equal(isMarked('unknown.example', tls.value), true)
  assert.equal(isMarked('other.example', tls.value), false)
  assert.equal(isMarked('example.org', 'x'), false, 'the agent is not known yet')
})

test('the TLS of a trusted proxy, chosen for a flood, does not mark the proxy; nor is anybody marked who is let in', () => {
  const tls: Term = { trait: 'tls', value: 't13d1312h2_aaaaaaaaaaaa_bbbbbbbbbbbb' }
  const marked = (text: string, policy: Partial<Policy> = {}) => {
    const { pipeline } = scene({
      config: { trustedProxies: ['203.0.113.0/24'] },
      policy: { ...policyOf(signature('weight', [tls])), ...policy },
    })
    pipeline.setLists({ memory: listOf('allow', '192.0.2.0/24'), names: ['friends'] })
    const client = { text, version: 4, prefix: '', subscriber: text, asn: 64500 } as const
    return pipeline.isMarked(client, 'example.org', () => tls.value)
  }
  assert.equal(marked('198.51.100.1'), true)
  assert.equal(marked('203.0.113.1'), false, 'a trusted proxy')
  assert.equal(marked('192.0.2.1'), false, 'on a list of friends')
  const allowed = [decision('allow', { cidr: '198.51.100.0/24' })]
  assert.equal(marked('198.51.100.1', { decisions: allowed }), false)
  assert.equal(marked('198.51.100.1', { bypass: true }), false)
  assert.equal(marked('198.51.100.1', { attack: 'off' }), false)
})

test('the operator’s rules decide, before lists and handwriting, and by name', () => {
  const rules = [
    rule('open', 'path == "/open"', 'allow'),
    rule('tool', 'traits.agent.contains("FloodTool") && path.startsWith("/search")', 'refuse'),
    rule('dear', 'path == "/dear"', 'price'),
  ]
  const { ask, records, pipeline } = scene({
    site: { rules },
    policy: policyOf(signature('refuse', OF_AGENT)),
  })
  pipeline.setLists({ memory: listOf('refuse', '192.0.2.0/24'), names: ['drop'] })
  const open = ask('none', { target: '/open' })
  assert.equal(open.carrier.did, 'relay')
  assert.equal(open.exchange.lane, 'operator')
  const tool = ask('known', { target: '/search?x' })
  assert.equal(tool.carrier.status, 403)
  assert.equal(value(tool.carrier, 'digue-mitigated'), 'rule')
  assert.equal(records().at(-1)?.rule, 'tool')
  const dear = ask('none', { target: '/dear' })
  assert.equal(dear.carrier.status, 503)
  assert.equal(records().at(-1)?.reason, 'rule')
  assert.equal(ask('paid', { target: '/dear' }).carrier.did, 'relay')
})

test('lists of networks act by effect, and are named', () => {
  for (const effect of ['weight', 'price', 'wait', 'refuse', 'allow'] as const) {
    const { ask, records, pipeline } = scene()
    pipeline.setLists({ memory: listOf(effect, '192.0.2.0/24'), names: ['drop'] })
    const { carrier, exchange } = ask()
    assert.equal(exchange.list, 'drop')
    assert.equal(exchange.marked, effect !== 'allow' && effect !== 'refuse')
    assert.equal(carrier.did === 'relay', effect === 'weight' || effect === 'allow', effect)
    if (carrier.did !== 'relay') assert.equal(records()[0]?.reason, 'list')
    if (effect === 'allow') assert.equal(exchange.lane, 'operator')
    assert.equal(ask('none', { peer: '198.51.100.1' }).exchange.list, '')
    pipeline.setLists({ memory: undefined, names: [] })
    assert.equal(ask().exchange.list, '')
  }
})

/** As in a file: an object with a `then` of its own would look like a promise. */
function rule(name: string, when: string, then: Effect): object {
  return Object.fromEntries(Object.entries({ name, when }).concat([['then', then]]))
}

function listOf(effect: Effect, cidr: '192.0.2.0/24'): SharedArrayBuffer {
  assert.equal(cidr, '192.0.2.0/24')
  const v4 = Uint32Array.of(0xc0000200, 0xc00002ff)
  return buildNetworkSet([
    { effect: EFFECTS.indexOf(effect), list: 0, ranges: { v4, v6: new Uint32Array() } },
  ])
}

test('who goes on after being dropped is told of; not one whom a PROXY header or a trusted proxy named', () => {
  const { ask, hammer, pipeline, receive } = scene({ config: { trustedProxies: ['203.0.113.0/24'] } })
  hammer.state = 'drop'
  for (let i = 0; i < 25; i++) ask('none', { peer: '192.0.2.7' })
  const forwarded = [...AGENT, 'X-Forwarded-For', '192.0.2.8']
  for (let i = 0; i < 25; i++) ask('none', { peer: '203.0.113.1', fields: forwarded })
  assert.deepEqual(pipeline.offenders.drain(), ['192.0.2.7'])
  pipeline.setLists({ memory: listOf('allow', '192.0.2.0/24'), names: ['friends'] })
  for (let i = 0; i < 25; i++) receive({ peer: '192.0.2.7' })
  assert.equal(pipeline.offenders.drain(), undefined, 'allowed meanwhile')
})

test('no signature, list or rule makes an offender', () => {
  const { ask, pipeline } = scene({ policy: policyOf(signature('refuse', OF_AGENT)) })
  for (let i = 0; i < 1000; i++) ask()
  assert.equal(pipeline.offenders.drain(), undefined)
})
