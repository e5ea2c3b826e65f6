/**
 * Real clients, recorded by scripts/record-handwriting.ts: one handwriting each, whatever they ask for, and no true browser
 * contradicts itself.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type TraitInput, traitsOf } from './extract.ts'
import { type H2Settings, h2FingerprintOf } from './h2-fingerprint.ts'
import { kindOf } from './kind.ts'
import { TRAITS, type TraitName } from './traits.ts'

interface Visit {
  readonly client: string
  readonly secure: boolean
  readonly ja4: string
  readonly settings?: H2Settings
  readonly window?: number
  readonly pseudo?: readonly string[]
  readonly requests: readonly {
    readonly version: TraitInput['httpVersion']
    readonly method: string
    readonly target: string
    readonly fields: readonly string[]
  }[]
}

const VISITS = JSON.parse(
  readFileSync(new URL('./handwriting.fixtures.json', import.meta.url), 'utf8'),
) as readonly Visit[]

const PLACE = (trait: TraitName) => TRAITS.findIndex(({ name }) => name === trait)

function inputs({ secure, ja4, settings, window, pseudo, requests }: Visit): TraitInput[] {
  const h2 =
    settings === undefined
      ? ''
      : h2FingerprintOf(
          settings,
          window ?? 0,
          (pseudo ?? []).flatMap((name) => [name, 'x']),
        )
  return requests.map(({ version, method, target, fields }) => ({
    method,
    target,
    host: 'bench.example.org',
    // As readRequestH2 gives them.
    fields: version === '2' ? ['host', 'x', ...fields] : fields,
    secure,
    httpVersion: version,
    isDirect: true,
    ja4,
    h2,
    asn: 64500,
    lane: 'unproven',
    hasOwnCookie: false,
  }))
}

/** Values of a trait over a visit. */
function shown(
  visit: Visit,
  trait: TraitName,
  wanted: (request: TraitInput) => boolean = () => true,
): Set<string> {
  return new Set(
    inputs(visit)
      .filter(wanted)
      .map((request) => traitsOf(request)[PLACE(trait)]!),
  )
}

const isUpgrade = ({ method, fields }: TraitInput) => kindOf(method, fields) === 'upgrade'

describe('handwriting', () => {
  test('the recording has browsers and tools, plain and over TLS', () => {
    assert.ok(VISITS.length >= 18)
    for (const visit of VISITS) assert.ok(visit.requests.length > 0, visit.client)
    assert.ok(
      VISITS.filter(({ client }) => client.startsWith('chromium')).every(
        ({ requests }) => requests.length > 8,
      ),
    )
  })

  for (const visit of VISITS) {
    const what = `${visit.client}${visit.secure ? ' over TLS' : ''}`
    test(`${what} writes its fields in one order, whatever it asks for`, () => {
      assert.equal(shown(visit, 'order', (request) => !isUpgrade(request)).size, 1)
      assert.equal(shown(visit, 'agent').size, 1)
    })
    test(`${what} contradicts itself nowhere`, () => {
      assert.deepEqual([...shown(visit, 'contradiction')], [''])
    })
  }

  test('clients are told apart by order alone, but for those of one library', () => {
    const byOrder = new Map<string, Set<string>>()
    for (const visit of VISITS)
      for (const order of shown(visit, 'order', (request) => !isUpgrade(request))) {
        const clients = byOrder.get(order) ?? new Set()
        byOrder.set(order, clients.add(visit.client.replace(/,? (post|http\/1\.1)$/, '')))
      }
    for (const [order, clients] of byOrder)
      assert.equal(clients.size, 1, `${order}: ${[...clients].join(', ')}`)
  })

  test('a browser’s fields over another program’s TLS, or HTTP/2, contradict each other', () => {
    const chromium = VISITS.find(({ client, secure }) => client === 'chromium' && secure)!
    const [page] = inputs(chromium)
    const contradiction = (changes: Partial<TraitInput>) =>
      traitsOf({ ...page!, ...changes })[PLACE('contradiction')]
    let tried = 0
    for (const other of VISITS) {
      if (!other.secure || other.client.startsWith('chromium')) continue
      const [theirs] = inputs(other)
      const { ja4, h2, httpVersion } = theirs!
      assert.match(contradiction({ ja4, h2, httpVersion })!, /^browser-over-other-(tls|h2)$/, other.client)
      tried++
    }
    assert.ok(tried >= 8)
  })

  test('a browser’s agent with another program’s fields contradicts them', () => {
    const chromium = VISITS.find(({ client, secure }) => client === 'chromium' && secure)!
    const { fields: theirs } = inputs(chromium)[0]!
    const agent = theirs[theirs.findIndex((name) => name.toLowerCase() === 'user-agent') + 1]!
    for (const visit of VISITS) {
      if (!visit.secure || visit.client.startsWith('chromium')) continue
      const [request] = inputs(visit)
      const fields = [
        ...request!.fields.flatMap((text, i) => (isAgent(request!.fields, i) ? [] : [text])),
        'user-agent',
        agent,
      ]
      assert.notEqual(traitsOf({ ...request!, fields })[PLACE('contradiction')], '', visit.client)
    }
  })

  test('Chromium opens HTTP/2 as others have published it', () => {
    const chromium = VISITS.find(({ client, secure }) => client === 'chromium' && secure)!
    assert.deepEqual([...shown(chromium, 'h2')], ['1:65536;2:0;4:6291456;6:262144|15663105|m,a,s,p'])
  })
})

function isAgent(fields: readonly string[], i: number): boolean {
  return fields[i - (i % 2)]!.toLowerCase() === 'user-agent'
}
