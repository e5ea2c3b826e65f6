import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Signature,
  SignatureMatcher,
  signatureId,
  type Term,
  TRAITS,
  type TraitName,
  traitsOf,
  UNFAMILIAR,
} from '#recognise'
import type { SiteSignaturesStatus } from '../signature-book.ts'
import { type Condition, portable } from './condition.ts'
import { SIGNATURE_EXPORTS } from './formats.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-exports-'))
after(() => rmSync(folder, { recursive: true }))
const nowMs = 1_800_000_000_000

function signature(terms: readonly Term[], reason = 'because'): Signature {
  return {
    id: signatureId(terms),
    terms,
    effect: 'weight',
    isPinned: false,
    publishedAtMs: nowMs - 30_000,
    expiresAtMs: nowMs + 30_000,
    support: 0.62,
    baseline: 0,
    baselineAtMost: 0.001,
    lift: 620,
    visitors: 0,
    reason,
  }
}

function sites(signatures: readonly Signature[], site = 'www.example.org'): SiteSignaturesStatus[] {
  return [
    {
      site,
      published: signatures.map((one) => ({ ...one, requests: 0, proven: 0 })),
      heldBack: [],
      forbidden: [],
      calmVectors: 0,
      calmClients: 0,
      isReady: true,
      withdrawn: 0,
      leftOut: 0,
      samplesLost: 0,
    },
  ]
}

const render = (format: string, of: readonly SiteSignaturesStatus[]) =>
  SIGNATURE_EXPORTS.find(({ name }) => name === format)!.render(of, nowMs)

const term = (trait: TraitName, value: string): Term => ({ trait, value })

/** A request as Digue sees it and as another proxy does. */
interface Asked {
  readonly method: string
  readonly target: string
  readonly agent?: string
  readonly language?: string
  readonly referrer?: string
  readonly cookie?: string
}

function traitsFor({ method, target, agent, language, referrer, cookie }: Asked) {
  const fields = Object.entries({
    'User-Agent': agent,
    'Accept-Language': language,
    Referer: referrer,
    Cookie: cookie,
  }).flatMap(([name, value]) => (value === undefined ? [] : [name, value]))
  return traitsOf({
    method,
    target,
    host: 'www.example.org',
    fields,
    secure: false,
    httpVersion: '1.1',
    isDirect: true,
    ja4: '',
    h2: '',
    asn: 64_500,
    lane: 'unproven',
    hasOwnCookie: false,
  })
}

function holds({ field, pattern, ignoreCase }: Condition, asked: Asked): boolean {
  const shown = { ...asked, tls: '', h2: '', ...{ language: asked.language } }[field] ?? ''
  return pattern === undefined ? shown === '' : new RegExp(pattern, ignoreCase ? 'is' : 's').test(shown)
}

const AGENTS = [
  'curl/8.5.0',
  'python-requests/2.32',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Go-http-client/1.1',
  'okhttp/4.9 Dalvik/2.1',
  'MyApp/3 CFNetwork/1.0 Darwin/23',
  'curl/8.5.0 evil"; } map $a $b {',
]
const TARGETS = [
  '/',
  '/?a=1',
  '/search?q=x&page=2',
  '/search?page=2&q=x',
  '/article/18422',
  '/article/18422/',
  '//article/1',
  '/a.b/c+d?x=',
  '/?',
  '/x"y\'z?$1',
  '/news/the-minister-answers-18422',
]

const asked = fc.record(
  {
    method: fc.constantFrom('GET', 'POST', 'HEAD', 'BREW'),
    target: fc.oneof(
      fc.constantFrom(...TARGETS),
      fc.webPath({ size: 'small' }).map((path) => `/${path}?b=1&a`),
    ),
    agent: fc.oneof(fc.constantFrom(...AGENTS), fc.string({ maxLength: 40 })),
    language: fc.constantFrom('fr', 'fr-FR,fr;q=0.9,en;q=0.8', 'de, en;q=0.5', 'x y', ''),
    referrer: fc.constantFrom(
      'https://news.example/a',
      'https://www.example.org/',
      'x',
      'https://a.b.c.d.e/',
    ),
    // An empty Cookie field, which no browser sends, is one to Digue and none to nginx.
    cookie: fc.constantFrom('a=b'),
  },
  { requiredKeys: ['method', 'target'] },
)

describe('conditions', () => {
  test('whoever fits the conditions fits the signature: no other proxy hits more people', () => {
    let fits = 0
    fc.assert(
      fc.property(
        asked,
        asked,
        fc.subarray([...TRAITS.keys()], { minLength: 1, maxLength: 3 }),
        (one, two, of) => {
          const traits = traitsFor(one)
          const terms = of.map((i) => term(TRAITS[i]!.name, traits[i]!))
          const exported = portable(signature(terms))
          if ('why' in exported) return
          const matcher = new SignatureMatcher({ signatures: [exported.signature], familiar: {} })
          for (const request of [one, two]) {
            if (!exported.conditions.every((condition) => holds(condition, request))) continue
            fits++
            assert.ok(matcher.match(traitsFor(request)), JSON.stringify({ terms, request }))
          }
        },
      ),
      { seed: 7, numRuns: 3000 },
    )
    assert.ok(fits > 300, `only ${fits} fitted anything`)
  })

  test('what only Digue can see is not exported', () => {
    for (const terms of [
      [term('tls', 't13d1516h2_8daaf6152771_b186095e22b6')],
      [term('order', '1-2-x')],
      [term('agent', UNFAMILIAR)],
      [term('agent', 'curl'), term('network', 'AS64500')],
      [term('agent', 'Chrome/Windows'), term('path', '/')],
      [term('path', '/{slug}')],
    ])
      assert.ok('why' in portable(signature(terms)), JSON.stringify(terms))
  })
})

/** Values that want out of their quotes. */
const HOSTILE = ['"', "'", '$uri', '\n', '\\', '};', '# ', '\u2028', '(', '[', '.*', '%', '\t', '{', '^']
const hostileSites = sites([
  ...HOSTILE.flatMap((value) => [
    signature([term('agent', `a${value}b`)], `because ${value} daemon on;`),
    signature([term('path', `/a${value}b?`), term('method', 'GET')], value),
    signature([term('query', `k${value}`), term('cookies', 'none')]),
    signature([term('referrer', `h${value}`), term('agent', '')]),
  ]),
  signature([term('agent', 'curl'), term('path', '/search?'), term('query', 'q')], '62 % of the clients …'),
  signature([term('tls', ''), term('h2', ''), term('agent', 'bot:Evil.Bot-2')]),
  signature([term('language', 'fr-fr,fr,en'), term('referrer', 'news.example')]),
  signature([term('query', 'a.b,c$d,e:f'), term('language', '')]),
])

function missing(program: string): string | false {
  return spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status === 0
    ? false
    : `${program} is not installed (apt install ${program})`
}

function run(
  command: string,
  args: readonly string[],
): { readonly status: number | null; readonly told: string } {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
  })
  return { status, told: `${stdout}${stderr}` }
}

describe('exports', () => {
  test('nginx takes hostile values, and a line of theirs is never its own', {
    skip: missing('nginx'),
  }, () => {
    const maps = render('nginx', hostileSites)
    for (const line of maps.split('\n')) assert.match(line, /^(# |map |$)/)
    writeFileSync(join(folder, 'maps.conf'), maps)
    const file = join(folder, 'nginx.conf')
    writeFileSync(
      file,
      `pid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\ninclude ${folder}/maps.conf;\n` +
        `server { listen 127.0.0.1:9; if ($digue_signature_www_example_org) { return 503; } }\n}\n`,
    )
    const { status, told } = run('nginx', ['-t', '-c', file, '-p', folder, '-e', 'stderr'])
    assert.match(told, /syntax is ok/, told)
    assert.ok(status === 0 || !/\[emerg\].*maps\.conf/.test(told), told)
  })

  test('haproxy takes hostile values', { skip: missing('haproxy') }, () => {
    const acls = render('haproxy', hostileSites)
    for (const line of acls.split('\n')) assert.match(line, /^(# |acl |http-request |$)/)
    const file = join(folder, 'haproxy.cfg')
    writeFileSync(
      file,
      `defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\nfrontend f\n  bind 127.0.0.1:9\n${acls}` +
        `  http-request return status 503 if { var(txn.digue_signature) -m found }\n`,
    )
    const { status, told } = run('haproxy', ['-c', '-f', file])
    assert.equal(status, 0, told)
  })

  test('what cannot be said wholly is a comment with the reason', () => {
    const half = sites([signature([term('agent', 'curl'), term('order', '1-2-x')], 'r')])
    for (const format of ['nginx', 'haproxy']) {
      const text = render(format, half)
      assert.match(text, /^# {3}not exported, for .* would hit more people: it needs the order/m)
      assert.doesNotMatch(text, /curl/)
    }
  })

  test('the fingerprint has the fields of the DDoS Clearing House and invents none', () => {
    const fingerprint = JSON.parse(
      render('ddos-clearing-house', sites([signature([term('agent', 'curl'), term('tls', '')])])),
    )
    assert.equal(fingerprint.target, 'Anonymous')
    assert.match(fingerprint.key, /^[0-9a-f]{32}$/)
    assert.equal(fingerprint.duration_seconds, 30)
    const [vector] = fingerprint.attack_vectors
    assert.deepEqual(vector.http_user_agent, { curl: 1 })
    assert.equal(vector.http_uri, 'random')
    assert.equal(vector.service, 'HTTP')
    assert.equal(vector.nr_packets, undefined)
    const two = [
      ...sites([signature([term('agent', 'a')])]),
      ...sites([signature([term('agent', 'b')])], 'b.example'),
    ]
    assert.throws(() => render('ddos-clearing-house', two), /--site/)
  })

  test('JSON holds them as they are', () => {
    const one = signature([term('agent', '"\n')])
    const { format, sites: of } = JSON.parse(render('json', sites([one])))
    assert.equal(format, 'digue-signatures')
    assert.deepEqual(of[0].signatures[0].terms, one.terms)
  })
})
