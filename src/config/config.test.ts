import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import {
  type Config,
  configReference,
  type Fault,
  formatFault,
  jsonSchema,
  readConfigFile,
  readConfigText,
} from '#config'
import { knownKeys } from './read.ts'
import { EXAMPLE } from './reference.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-config-'))
after(() => rmSync(folder, { recursive: true }))

const root = new URL('../../', import.meta.url)

function read(text: string, environment: Record<string, string> = {}): Config {
  const result = readConfigText(text, { environment, folder })
  if (!result.ok) assert.fail(result.faults.map(formatFault).join('\n'))
  return result.config
}

function faultsOf(text: string, environment: Record<string, string> = {}): readonly Fault[] {
  const result = readConfigText(text, { environment, folder })
  assert.equal(result.ok, false, 'the configuration was accepted')
  return result.ok ? [] : result.faults
}

/** "path@line: message" */
const told = (faults: readonly Fault[]) =>
  faults.map((fault) => `${fault.path}@${fault.line}: ${fault.message}`)

const SITE = 'sites: [{ host: a.example.org, origin: "http://127.0.0.1:3000" }]\n'

/** A certificate made for this test alone; undefined where there is no openssl. */
function makeCertificate(name: string): { certificate: string; key: string } {
  const certificate = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { stdio: 'ignore' },
  )
  return { certificate, key }
}

test('a site needs two words, and the rest has defaults', () => {
  const config = read(SITE)
  assert.deepEqual(config.sites[0]!.hosts, ['a.example.org'])
  assert.deepEqual(config.sites[0]!.origins, ['http://127.0.0.1:3000'])
  assert.equal(config.sites[0]!.originTimeout, 60_000)
  assert.deepEqual(config.listen, [{ address: '::', port: 8080, tls: false, proxyProtocol: [] }])
  assert.equal(config.limits.headBytes, 32_000)
  assert.equal(config.state, join(folder, 'state'))
  assert.equal(config.admin.socket, join(folder, 'state', 'digue.sock'))
})

test('ten sites fit in under twenty lines', () => {
  const { certificate, key } = makeCertificate('ten')
  const text = [
    'listen: [":80", ":443 tls"]',
    `defaults: { certificate: ${certificate}, key: ${key}, redirectToHttps: true, maxInFlight: 40 }`,
    'sites:',
    ...Array.from(
      { length: 10 },
      (_, i) => `  - { host: site${i}.example.org, origin: "http://127.0.0.1:${3000 + i}" }`,
    ),
  ].join('\n')
  assert.ok(text.split('\n').length < 20)
  const config = read(text)
  assert.equal(config.sites.length, 10)
  assert.ok(
    config.sites.every(
      (site) => site.certificate === certificate && site.redirectToHttps && site.maxInFlight === 40,
    ),
  )
  assert.deepEqual(
    config.listen.map((listen) => [listen.port, listen.tls]),
    [
      [80, false],
      [443, true],
    ],
  )
})

test('a site’s own setting wins over the defaults', () => {
  const config = read(
    'defaults: { origin: "http://127.0.0.1:3000", mode: observe, maxInFlight: 5 }\nsites:\n  - host: a.example.org\n  - { host: b.example.org, mode: protect, origins: ["http://127.0.0.1:1", "http://127.0.0.1:2"] }\n',
  )
  assert.deepEqual(
    config.sites.map((site) => [site.mode, site.maxInFlight, site.origins.length]),
    [
      ['observe', 5, 1],
      ['protect', 5, 2],
    ],
  )
})

test('listeners are read from their short forms', () => {
  const config = read(
    `listen: [8080, "127.0.0.1:8081", "[::1]:8082", ":0 tls", { port: 9000, proxyProtocol: [192.0.2.0/24] }]\n${SITE}`.replace(
      ':0 tls',
      ':0',
    ),
  )
  assert.deepEqual(
    config.listen.map((listen) => `${listen.address} ${listen.port}`),
    [':: 8080', '127.0.0.1 8081', '::1 8082', ':: 0', ':: 9000'],
  )
})

test('all faults are told at once, each with its path, expectation, value and line', () => {
  const faults = faultsOf(`listen: [":80", ":80", "nonsense"]
state: 5
limits:
  headBytes: 32
  headTimout: 5s
admin:
  metrics: 0.0.0.0:9180
trustedProxies: [300.1.1.1/8]
sites:
  - host: a.example.org
    origin: localhost:3000
    mode: defend
  - host: b.example.org
    orgin: http://127.0.0.1:1
`)
  assert.deepEqual(told(faults), [
    'listen[2]@1: expected a listener such as ":8080", ":443 tls" or "192.0.2.1:80", got "nonsense"',
    'state@2: expected a text, got 5',
    'limits.headBytes@4: expected a size such as "64kB" or "5MB", got 32',
    'limits.headTimout@5: expected headTimeout, got the unknown key "headTimout"',
    'sites[0].origin@11: expected "http://host:port", "https://host:port" or "unix:/path", without a path after the port, got "localhost:3000"',
    'sites[0].mode@12: expected "protect" or "observe", got "defend"',
    'sites[1].origins@13: expected a list of origins, got nothing',
    'sites[1].orgin@14: expected origin, got the unknown key "orgin"',
  ])
})

test('fields are checked against each other', () => {
  const faults = faultsOf(`listen: [":8080", "127.0.0.1:8080", ":8443 tls"]
admin: { metrics: "192.0.2.1:9180" }
trustedProxies: ["10.0.0.0/33"]
sites:
  - { host: a.example.org, origin: "http://127.0.0.1:8080" }
  - { host: A.example.org., origin: "http://127.0.0.1:3000", key: x.key }
`)
  assert.deepEqual(told(faults), [
    'listen[1]@1: expected a port of its own, got 8080, which listen[0] has already',
    'listen[2].tls@1: expected at least one site with `certificate` and `key` (or --self-signed for trying it out), got none',
    'admin.metrics@2: expected a loopback address and port such as "127.0.0.1:9180", or "off", got "192.0.2.1:9180"',
    'trustedProxies[0]@3: expected a prefix length of 0 to 32, got "10.0.0.0/33"',
    'sites[0].origin@5: expected where the site really runs, got "http://127.0.0.1:8080", which is Digue itself',
    'sites[1].host@6: expected a host name no other site has, got "a.example.org", which sites[0] has already',
    'sites[1].certificate@6: expected a PEM file beside `key`, got nothing',
  ])
})

test('a list of networks has a name, one source, and a key that never travels in the clear', () => {
  writeFileSync(join(folder, 'office.txt'), '192.0.2.0/24\n')
  writeFileSync(join(folder, 'lapi.key'), 'secret\n')
  const { lists } = read(`lists:
  - { name: office, file: office.txt, then: allow }
  - { name: drop, url: "https://lists.example.org/drop.txt", refresh: 6h }
  - { name: crowdsec, crowdsec: { keyFile: lapi.key } }
${SITE}`)
  assert.deepEqual(lists, [
    // biome-ignore lint/suspicious/noThenProperty: a word in the file, and nothing that could be called
    { name: 'office', file: join(folder, 'office.txt'), then: 'allow', format: 'auto' },
    { name: 'drop', url: 'https://lists.example.org/drop.txt', refresh: 6 * 3_600_000, format: 'auto' },
    {
      name: 'crowdsec',
      crowdsec: { url: 'http://127.0.0.1:8080', keyFile: join(folder, 'lapi.key') },
      format: 'auto',
    },
  ])
  const faults = faultsOf(`lists:
  - { name: office, file: office.txt, url: "https://lists.example.org/drop.txt" }
  - { name: office, file: nowhere.txt }
  - { name: fast, url: "https://lists.example.org/drop.txt", refresh: 1s }
  - { name: far, crowdsec: { url: "http://lapi.example.org:8080", keyFile: lapi.key } }
  - { name: none }
  - { name: broken, url: "https://[2001:db8::1/drop.txt" }
${SITE}`)
  assert.deepEqual(told(faults), [
    'lists[0]@2: expected exactly one of file, url and crowdsec, got file and url',
    'lists[1].name@3: expected a name that no other list has, got "office"',
    `lists[1].file@3: expected a file that can be read, got ${JSON.stringify(join(folder, 'nowhere.txt'))} (ENOENT)`,
    'lists[2].refresh@4: expected at least 60 s for a url, got 1 s',
    'lists[3].crowdsec.url@5: expected https:// for another machine (the key would travel in the clear), got "http://lapi.example.org:8080"',
    'lists[4]@6: expected exactly one of file, url and crowdsec, got none',
    'lists[5].url@7: expected an https:// address, got "https://[2001:db8::1/drop.txt"',
  ])
  const shapes = faultsOf(`lists: [{ name: A B, url: "http://lists.example.org/", then: drop }]\n${SITE}`)
  assert.equal(shapes.length, 3)
})

test('a date of the calendar says its offset and its month is one', () => {
  const { calendar } = read(`calendar:
  - { name: vote, from: 2026-12-06T08:00+01:00, until: 2026-12-06T20:00:00Z, lead: 1d }
sites: [{ hosts: [a.example], origins: ["http://127.0.0.1:1"] }]`)
  assert.deepEqual(calendar, [
    { name: 'vote', from: Date.UTC(2026, 11, 6, 7), until: Date.UTC(2026, 11, 6, 20), lead: 86_400_000 },
  ])
  const faults = faultsOf(`calendar:
  - { name: local, from: "2026-12-06T08:00", until: 2026-12-07T08:00Z }
  - { name: month, from: 2026-13-06T08:00Z, until: 2027-12-07T08:00Z }
sites: [{ hosts: [a.example], origins: ["http://127.0.0.1:1"] }]`)
  assert.match(told(faults).join('\n'), /calendar\[0\].from@2: expected a date and time with its offset/)
  assert.match(told(faults).join('\n'), /calendar\[1\].from@3: expected a date and time with its offset/)
})

test('a date of the calendar that ends before it begins is a fault', () => {
  const faults = faultsOf(`calendar:
  - { name: turned, from: 2026-12-07T08:00Z, until: 2026-12-06T08:00Z }
sites: [{ hosts: [a.example], origins: ["http://127.0.0.1:1"] }]`)
  assert.match(told(faults).join('\n'), /calendar\[0\].until@2: expected an end after the beginning/)
})

test('a key that belongs to another certificate is found before start', () => {
  const one = makeCertificate('one')
  const two = makeCertificate('two')
  const faults = faultsOf(
    `listen: ":443 tls"\nsites: [{ host: a.example.org, origin: "http://127.0.0.1:3000", certificate: ${one.certificate}, key: ${two.key} }]\n`,
  )
  assert.match(
    faults[0]!.message,
    /^expected the private key of .*one\.pem", got the key of another certificate$/,
  )
  assert.equal(faults.length, 1)
})

test('a file that is not there, or is no certificate, is told', () => {
  writeFileSync(join(folder, 'junk.pem'), 'junk')
  const faults = faultsOf(
    `networks: nowhere.csv\nsites: [{ host: a.example.org, origin: "http://127.0.0.1:3000", certificate: junk.pem, key: junk.pem }]\n`,
  )
  assert.deepEqual(
    faults.map((fault) => fault.path),
    ['networks', 'sites[0].certificate', 'sites[0].key'],
  )
})

test('a fault in the defaults is told once, at the defaults', () => {
  const faults = faultsOf(
    'defaults:\n  mode: defend\nsites:\n  - { host: a.example.org, origin: "http://127.0.0.1:1" }\n  - { host: b.example.org, origin: "http://127.0.0.1:2" }\n',
  )
  assert.deepEqual(told(faults), ['defaults.mode@2: expected "protect" or "observe", got "defend"'])
})

test('environment variables fill values and never structure', () => {
  const config = read(
    'listen:\n  - port: ${PORT}\nsites: [{ host: "${HOST:-a.example.org}", origin: "http://${ORIGIN}", originHost: "$${x}" }]\n',
    { PORT: '8123', ORIGIN: '127.0.0.1:3000' },
  )
  assert.equal(config.listen[0]!.port, 8123)
  assert.deepEqual(config.sites[0]!.hosts, ['a.example.org'])
  assert.equal(config.sites[0]!.originHost, '${x}')
  const injected = faultsOf('sites: [{ host: "${HOST}", origin: "http://127.0.0.1:1" }]\n', {
    HOST: 'a.example.org, evil: true',
  })
  assert.deepEqual(
    injected.map((fault) => fault.path),
    ['sites[0].host'],
  )
})

test('a missing variable is a fault with its path, told once', () => {
  const faults = faultsOf('threads: ${THREADS}\n' + SITE)
  assert.deepEqual(told(faults), [
    'threads@1: expected the environment variable THREADS to be set (or write ${THREADS:-default})',
  ])
})

test('files of conf.d add sites, and their faults name them', () => {
  const here = mkdtempSync(join(folder, 'd-'))
  mkdirSync(join(here, 'conf.d'))
  writeFileSync(join(here, 'digue.yaml'), 'defaults: { maxInFlight: 7 }\n' + SITE)
  writeFileSync(
    join(here, 'conf.d', 'b.yaml'),
    'sites:\n  - { host: b.example.org, origin: "http://127.0.0.1:3001" }\n',
  )
  writeFileSync(join(here, 'conf.d', 'ignored.txt'), 'nonsense')
  const good = readConfigFile(join(here, 'digue.yaml'), { environment: {} })
  assert.ok(good.ok)
  assert.deepEqual(
    good.config.sites.map((site) => [site.hosts[0], site.maxInFlight]),
    [
      ['a.example.org', 7],
      ['b.example.org', 7],
    ],
  )

  writeFileSync(
    join(here, 'conf.d', 'c.yaml'),
    'state: elsewhere\nsites:\n  - host: a.example.org\n    origin: "http://127.0.0.1:3001"\n',
  )
  const bad = readConfigFile(join(here, 'digue.yaml'), { environment: {} })
  assert.ok(!bad.ok)
  assert.deepEqual(
    bad.faults.map((fault) => `${fault.file.slice(here.length)} ${fault.path}@${fault.line}`),
    ['/conf.d/c.yaml state@1', '/conf.d/c.yaml sites[0].host@3'],
  )
})

test('a missing file is a fault, not an exception', () => {
  const result = readConfigFile(join(folder, 'nowhere.yaml'))
  assert.ok(!result.ok)
  assert.match(result.faults[0]!.message, /ENOENT/)
})

test('anchors and merge keys work, and a million laughs do not', () => {
  const config = read(
    'sites:\n  - &a { host: a.example.org, origin: "http://127.0.0.1:1", mode: observe }\n  - { <<: *a, host: b.example.org }\n',
  )
  assert.deepEqual(
    config.sites.map((site) => [site.hosts[0], site.mode]),
    [
      ['a.example.org', 'observe'],
      ['b.example.org', 'observe'],
    ],
  )
  let bomb = 'a0: &a0 [x, x, x, x, x, x, x, x, x]\n'
  for (let i = 1; i < 12; i++)
    bomb += `a${i}: &a${i} [${Array(9)
      .fill(`*a${i - 1}`)
      .join(', ')}]\n`
  assert.match(faultsOf(bomb)[0]!.message, /^expected at most \d+ values/)
  assert.match(faultsOf('a: &a [*a]\n')[0]!.message, /^expected at most \d+ values/)
  assert.match(faultsOf('['.repeat(100_000))[0]!.message, /levels of nesting/)
  assert.match(faultsOf(' '.repeat(2_100_000))[0]!.message, /at most 2 MB/)
})

test('broken YAML is told with its line', () => {
  const faults = faultsOf('listen: [":80"\nsites: {\n')
  assert.ok(faults.length > 0)
  assert.ok(faults.every((fault) => fault.message.startsWith('expected YAML') && fault.line > 0))
})

test('arbitrary text never throws and never starts', () => {
  const fragment = fc.constantFrom(
    'sites',
    'host',
    'origin',
    'listen',
    ': ',
    '- ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    ']',
    '&a',
    '*a',
    '<<: ',
    '${A}',
    '"',
    "'",
    '|',
    '>',
    '!!',
    '#',
    '__proto__',
    '0x1',
    '\u0000',
    '? ',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(fragment, { maxLength: 40 }).map((parts) => parts.join('')),
      ),
      (text) => {
        const result = readConfigText(text, { environment: {}, folder })
        assert.equal(result.ok, false)
        if (!result.ok) assert.ok(result.faults.length > 0 && result.faults.length <= 200)
      },
    ),
    { numRuns: 3000 },
  )
})

test('arbitrary values in the place of settings never throw', () => {
  const keys = [
    ...knownKeys([]),
    ...knownKeys(['sites', 0]),
    ...knownKeys(['limits']),
    '__proto__',
    'constructor',
  ]
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', maxDepth: 5 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('node'), { maxKeys: 6 }),
    ),
  })).node
  fc.assert(
    fc.property(tree, (value) => {
      // JSON is YAML.
      const result = readConfigText(JSON.stringify(value), { environment: {}, folder })
      if (!result.ok) for (const fault of result.faults) assert.match(formatFault(fault), /expected /)
    }),
    { numRuns: 1500 },
  )
})

const ACCEPTED = [
  SITE,
  EXAMPLE.replace(/^ {2}(certificate|key|redirectToHttps):.*\n/gm, '')
    .replace('defaults:\n', '')
    .replace(':443 tls', ':443'),
  'listen: 8080\n' + SITE,
  'threads: 2\nlimits: { connections: auto, streams: 10 }\n' + SITE,
]
const REJECTED = [
  'listen: []\n' + SITE,
  'listen: "80 http"\n' + SITE,
  'threads: 0\n' + SITE,
  'unknown: 1\n' + SITE,
  'limits: { headTimeout: 10 }\n' + SITE,
  'sites: []\n',
  'sites: [{ host: "a b", origin: "http://127.0.0.1:1" }]\n',
  'sites: [{ host: a.example.org, origin: "ftp://127.0.0.1" }]\n',
  'defaults: { hosts: [a.example.org] }\n' + SITE,
]

test('the JSON Schema accepts and rejects the same examples as the reader', async () => {
  const { parse } = await import('yaml')
  const published = z.fromJSONSchema(JSON.parse(readFileSync(new URL('config.schema.json', root), 'utf8')))
  for (const text of ACCEPTED) {
    read(text)
    const result = published.safeParse(parse(text))
    assert.ok(result.success, `${text}\n${JSON.stringify(result.error?.issues)}`)
  }
  for (const text of REJECTED) {
    faultsOf(text)
    assert.equal(published.safeParse(parse(text)).success, false, text)
  }
})

test('config.schema.json and docs/configuration.md are current', () => {
  const say = 'run `npm run schema` and commit the result'
  assert.deepEqual(JSON.parse(readFileSync(new URL('config.schema.json', root), 'utf8')), jsonSchema(), say)
  assert.equal(readFileSync(new URL('docs/configuration.md', root), 'utf8'), configReference(), say)
})

test('every setting has a description', () => {
  const rows = configReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  assert.ok(rows.length > 35)
  for (const row of rows) assert.doesNotMatch(row, /\| +\|$/, row)
})
