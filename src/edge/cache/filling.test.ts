import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CacheRules, Stored, type StoredResponse } from '#cache'
import type { FieldLines, RequestHead } from '#http'
import type { SiteRuntime } from '../house.ts'
import { Filling, type Landing, type Plan } from './filling.ts'

const KEY = 'http://example.org/page'
const NOW_MS = Date.UTC(2026, 10, 24, 12)
const RULES: CacheRules = {
  heuristicMs: 3_600_000,
  staleMs: 3_600_000,
  objectBytes: 100_000,
  isEmergencyPath: (target) => target.startsWith('/news'),
}
const FRESH: FieldLines = ['cache-control', 'max-age=60']

function asking(fields: FieldLines = [], over: Partial<RequestHead> = {}): RequestHead {
  const all = ['host', 'example.org', ...fields]
  return { method: 'GET', target: '/page', version: '1.1', host: 'example.org', fields: all, ...over }
}

/** A stored page that is stale, and may stand in. */
const STALE = new Stored(
  {
    key: KEY,
    variant: '',
    vary: [],
    status: 200,
    fields: ['cache-control', 'max-age=1', 'etag', '"1"'],
    body: Buffer.from('stored'),
    requestedAtMs: NOW_MS - 60_000,
    receivedAtMs: NOW_MS - 60_000,
    purpose: 'reuse',
  },
  RULES,
)

function scene(request = asking(), over: Partial<Plan> = {}) {
  const kept: StoredResponse[] = []
  const forgotten: string[] = []
  const landed: Landing[] = []
  const counted: string[] = []
  const saw: number[] = []
  const bytes = { reserved: 0, most: Number.POSITIVE_INFINITY }
  const plan: Plan = {
    key: KEY,
    site: {} as SiteRuntime,
    request,
    rules: RULES,
    forwarded: 'uri-miss',
    leads: true,
    ...over,
  }
  const filling = new Filling(plan, {
    nowMs: () => NOW_MS,
    count: (counter) => counted.push(counter),
    reserve: (size) => {
      if (bytes.reserved + size > bytes.most) return false
      bytes.reserved += size
      return true
    },
    release: (size) => void (bytes.reserved -= size),
    keep: (response) => {
      kept.push(response)
      return new Stored(response, RULES)
    },
    forget: (key) => forgotten.push(key),
    saw: (_, status) => saw.push(status),
    copying: () => {},
    landed: (_, how) => landed.push(how),
  })
  return { filling, kept, forgotten, landed, counted, saw, bytes }
}

const validating = (request = asking()) =>
  scene(request, { forwarded: 'stale', validates: STALE, conditions: STALE.conditions, stale: STALE })

test('a body is stored as it came, whatever the pieces, and nothing stays reserved', () => {
  const { filling, kept, landed, bytes } = scene()
  assert.equal(
    filling.answered(200, () => FRESH),
    'copy',
  )
  const piece = Buffer.alloc(1)
  let expected = ''
  for (let n = 0; n < 50_000; n++) {
    // The same buffer each time, as sockets read into.
    piece[0] = 65 + (n % 26)
    expected += String.fromCharCode(piece[0])
    filling.data(piece)
  }
  filling.data(Buffer.from('and a large piece '.repeat(2000)))
  expected += 'and a large piece '.repeat(2000)
  assert.equal(bytes.reserved, expected.length)
  filling.completed()
  assert.equal(Buffer.from(kept[0]!.body).toString(), expected)
  assert.deepEqual(landed, ['stored'])
  assert.equal(bytes.reserved, 0)
})

test('an end is told once, whatever comes after it', () => {
  const { filling, landed, bytes } = scene()
  filling.answered(200, () => FRESH)
  filling.data(Buffer.from('half'))
  filling.abandoned()
  filling.data(Buffer.from('more'))
  filling.completed()
  filling.standIn('failed')
  filling.abandoned()
  assert.deepEqual(landed, ['abandoned'])
  assert.equal(bytes.reserved, 0)
})

test('a body that is too large is no page to wait for; one for which there is no room now may be', () => {
  const large = scene()
  large.filling.answered(200, () => FRESH)
  large.filling.data(Buffer.alloc(100_001))
  assert.deepEqual(large.landed, ['rejected'])
  const crowded = scene()
  crowded.bytes.most = 10
  crowded.filling.answered(200, () => FRESH)
  crowded.filling.data(Buffer.alloc(11))
  assert.deepEqual(crowded.landed, ['abandoned'])
  assert.deepEqual(crowded.counted, ['cache-copies-full'])
  assert.equal(crowded.bytes.reserved, 0)
})

test('a failure of the origin is answered by what is stored', () => {
  const { filling, landed, forgotten } = validating()
  assert.equal(
    filling.answered(503, () => []),
    'instead',
  )
  assert.equal(Buffer.from(filling.instead!.served.body).toString(), 'stored')
  assert.equal(filling.instead!.reason, 'stale')
  assert.deepEqual([landed, forgotten], [['failed'], []])
})

const STRANGE: readonly [string, RequestHead, number, FieldLines][] = [
  ['no-store', asking(['cache-control', 'no-store']), 200, FRESH],
  ['credentials', asking(['authorization', 'Basic eDp5']), 200, FRESH],
  ['a session', asking(['cookie', 'session=1']), 200, ['etag', '"2"']],
  ['a session that makes it his own', asking(['cookie', 'session=1']), 200, ['cache-control', 'private']],
  ['a field that names another page', asking(['x-original-url', '/admin']), 200, FRESH],
  [
    'a language of 5 kB',
    asking(['accept-language', 'x'.repeat(5000)]),
    200,
    [...FRESH, 'vary', 'accept-language'],
  ],
  ['a field that its origin refuses', asking(['x-odd', '\u0001']), 400, []],
  ['an attack that its origin refuses', asking(['user-agent', 'sqlmap']), 403, ['cache-control', 'no-store']],
  ['too many requests', asking(), 429, ['cache-control', 'no-store']],
]
for (const [name, request, status, fields] of STRANGE)
  test(`who asks with ${name} takes the stored page from nobody`, () => {
    const { filling, forgotten, kept } = validating(request)
    assert.equal(
      filling.answered(status, () => fields),
      'pass',
    )
    assert.deepEqual([forgotten, kept], [[], []])
  })

test('a stored page goes when the origin says that it is gone, or may be kept no longer', () => {
  for (const [status, fields] of [
    [404, []],
    [410, []],
    [200, ['cache-control', 'no-store']],
    [302, ['location', '/login']],
  ] as const) {
    const { filling, forgotten, landed } = validating()
    filling.answered(status, () => fields)
    assert.deepEqual([forgotten, landed], [[KEY], ['rejected']], String(status))
  }
})

test('how a request asks makes no page one that cannot be shared, and teaches nothing of it', () => {
  for (const request of [
    asking(['cache-control', 'no-store']),
    asking(['x-original-url', '/admin']),
    asking(['range', 'bytes=0-0']),
    asking(['if-match', '"0"']),
  ]) {
    const { filling, landed, saw } = scene(request)
    filling.answered(412, () => ['cache-control', 'no-store'])
    assert.deepEqual([landed, saw], [['abandoned'], []])
  }
  const { filling, landed, saw } = scene()
  filling.answered(200, () => ['cache-control', 'private'])
  assert.deepEqual([landed, saw], [['rejected'], [200]])
})

test('a cookie that is called like one of ours and is none brings nothing into the store', () => {
  for (const vary of ['cookie', 'accept-encoding']) {
    const { filling, kept, landed } = scene(asking(['cookie', 'digue_x=<script>']))
    assert.equal(
      filling.answered(200, () => [...FRESH, 'vary', vary]),
      'pass',
    )
    assert.deepEqual([kept, landed], [[], ['abandoned']])
  }
})

test('what Connection names did not come to the origin: nothing is stored as if it had', () => {
  const { filling, kept } = scene(asking(['accept-language', 'fr', 'connection', 'accept-language']))
  filling.answered(200, () => [...FRESH, 'vary', 'accept-language'])
  filling.data(Buffer.from('the page in English'))
  filling.completed()
  assert.equal(kept[0]!.variant, 'accept-language\n')
})

const PART = new Stored(
  {
    key: KEY,
    variant: '(bytes=0-4)\n',
    vary: [],
    status: 206,
    fields: ['cache-control', 'max-age=60', 'etag', '"1"', 'content-range', 'bytes 0-4/10'],
    body: Buffer.from('01234'),
    requestedAtMs: NOW_MS - 60_000,
    receivedAtMs: NOW_MS - 60_000,
    purpose: 'reuse',
  },
  RULES,
)
const REST: FieldLines = ['cache-control', 'max-age=60', 'etag', '"1"', 'content-range', 'bytes 5-9/10']
const completing = () =>
  scene(asking(), {
    forwarded: 'partial',
    completes: PART,
    conditions: ['range', 'bytes=5-', 'if-range', '"1"'],
  })

test('the rest of a stored part is held until the whole can be sent, and stored', () => {
  const { filling, kept, landed, bytes } = completing()
  assert.equal(
    filling.answered(206, () => REST),
    'hold',
  )
  filling.data(Buffer.from('56'))
  filling.data(Buffer.from('789'))
  assert.equal(filling.instead, undefined)
  filling.completed()
  assert.equal(Buffer.from(filling.instead!.served.body).toString(), '0123456789')
  assert.equal(filling.instead!.served.status, 200)
  assert.deepEqual(
    kept.map(({ status, variant, body }) => [status, variant, Buffer.from(body).toString()]),
    [[200, '', '0123456789']],
  )
  assert.deepEqual(landed, ['stored'])
  assert.equal(bytes.reserved, 0)
})

test('what does not fit to a stored part is forgotten, and the whole asked for', () => {
  for (const [status, fields] of [
    [206, REST.map((part) => part.replace('"1"', '"2"'))],
    [206, REST.map((part) => part.replace('5-9', '4-9'))],
    [206, []],
    [416, ['content-range', 'bytes */3']],
  ] as const) {
    const { filling, kept, forgotten, landed } = completing()
    assert.equal(
      filling.answered(status, () => fields),
      'again',
    )
    assert.deepEqual(filling.conditions, [])
    assert.deepEqual(forgotten, [KEY])
    assert.deepEqual(landed, [])
    assert.equal(
      filling.answered(200, () => FRESH),
      'copy',
    )
    filling.data(Buffer.from('whole'))
    filling.completed()
    assert.equal(Buffer.from(kept[0]!.body).toString(), 'whole')
    assert.deepEqual(landed, ['stored'])
  }
})

test('a rest that is shorter or longer than it says, or breaks off, is no answer', () => {
  for (const rest of ['5678', '567890', undefined]) {
    const { filling, kept, bytes } = completing()
    filling.answered(206, () => REST)
    filling.data(Buffer.from(rest ?? '5'))
    if (rest === undefined) filling.startOver()
    else filling.completed()
    assert.equal(filling.instead, undefined)
    assert.deepEqual(filling.conditions, [])
    assert.equal(bytes.reserved, 0)
    assert.equal(
      filling.answered(200, () => FRESH),
      'copy',
    )
    filling.data(Buffer.from('whole'))
    filling.completed()
    assert.equal(Buffer.from(kept[0]!.body).toString(), 'whole')
  }
})

test('a part that has changed is answered with the whole, and a failure is a failure', () => {
  const changed = completing()
  assert.equal(
    changed.filling.answered(200, () => FRESH),
    'copy',
  )
  changed.filling.data(Buffer.from('new'))
  changed.filling.completed()
  assert.equal(Buffer.from(changed.kept[0]!.body).toString(), 'new')
  const failed = completing()
  assert.equal(
    failed.filling.answered(503, () => []),
    'pass',
  )
  assert.deepEqual(failed.landed, ['failed'])
})
