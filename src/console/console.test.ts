import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import {
  type CommandError,
  type Commands,
  LiveFigures,
  Metrics,
  openCommandSocket,
  openMetricsPort,
  sendCommand,
} from '#console'
import { type Decision, type EdgeReport, LATENCY_BUCKETS_MS, type SiteReport } from '#control'
import { answer } from './commands.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-console-'))
after(() => rmSync(folder, { recursive: true }))

function fakeCommands(): Commands & { readonly calls: unknown[] } {
  const calls: unknown[] = []
  const list: Decision[] = []
  return {
    calls,
    status: () => ({ version: 'test' }) as never,
    attack: (mode) => void calls.push(['attack', mode]),
    bypass: (on) => void calls.push(['bypass', on]),
    decisions: () => list,
    addDecision: ({ forMs, ...wish }) => {
      const decision = { ...wish, id: String(list.length), expiresAtMs: forMs }
      list.push(decision)
      return decision
    },
    deleteDecision: (id) => list.some((decision) => decision.id === id),
    signatures: () => [],
    changeSignature: (wish) => {
      calls.push(wish)
      return []
    },
    cache: async () => ({ sites: [] }) as never,
    kernel: async () => ({ state: 'off' }) as never,
    lists: async () => [],
    refreshLists: async (name) => {
      calls.push(['refreshLists', name])
      return []
    },
    releaseList: async (name) => {
      if (name !== 'drop') throw new Error(`there is no list "${name}"`)
      return { name } as never
    },
    purge: async (what) => {
      calls.push(['purge', what])
      if (what['tag'] === undefined) throw new Error('expected a tag')
      return 3
    },
    rules: () => [],
    samples: (after) => ({ serial: after ?? 0, records: [], lost: 0, postures: {} }),
    diagnosis: () => ({}) as never,
  }
}

function siteReport(changes: Partial<SiteReport>): SiteReport {
  return {
    tallies: [],
    queueDelayMs: 0,
    queueDelayMaxMs: 0,
    waiting: 0,
    longLived: 0,
    calm: [],
    calmLost: 0,
    latency: [],
    origins: [],
    ...changes,
  }
}

function edgeReport(site: Partial<SiteReport>, changes: Partial<EdgeReport> = {}): EdgeReport {
  return {
    thread: 0,
    atMs: 0,
    sites: { 'a.example.org': siteReport(site) },
    gauges: {},
    counters: {},
    records: [],
    recordsLost: 0,
    ...changes,
  }
}

test('the socket has mode 0600, answers one command per connection, and goes away', async () => {
  const path = join(folder, 'one', 'digue.sock')
  const commands = fakeCommands()
  const socket = await openCommandSocket(path, commands)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(join(folder, 'one')).mode & 0o777, 0o700)
  assert.deepEqual(await sendCommand(path, { command: 'attack', mode: 'on' }), { attack: 'on' })
  assert.deepEqual(await sendCommand(path, { command: 'bypass', on: true }), { bypass: true })
  assert.deepEqual(commands.calls, [
    ['attack', 'on'],
    ['bypass', true],
  ])
  await socket.close()
  assert.equal(existsSync(path), false)
})

test('a socket left behind is replaced, one in use and a plain file are not', async () => {
  const path = join(folder, 'digue.sock')
  const first = await openCommandSocket(path, fakeCommands())
  await assert.rejects(openCommandSocket(path, fakeCommands()), { code: 'DIGUE_SOCKET_IN_USE' })
  await first.close()
  spawnSync(process.execPath, [
    '-e',
    `net.createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ])
  assert.ok(existsSync(path), 'nothing was left behind')
  await (await openCommandSocket(path, fakeCommands())).close()
  writeFileSync(path, 'precious')
  await assert.rejects(openCommandSocket(path, fakeCommands()), { code: 'DIGUE_SOCKET_IN_USE' })
})

test('where nothing runs the client says what to do', async () => {
  await assert.rejects(
    sendCommand(join(folder, 'nowhere.sock'), { command: 'status' }),
    (error: CommandError) => {
      assert.equal(error.code, 'DIGUE_NOT_RUNNING')
      assert.match(error.message, /digue run/)
      return true
    },
  )
})

test('a client that sends without end is closed, and the next one is served', async () => {
  const path = join(folder, 'flood.sock')
  const socket = await openCommandSocket(path, fakeCommands())
  const greedy = connect(path)
  greedy.on('error', () => {})
  greedy.write('x'.repeat(200_000))
  await new Promise((resolve) => greedy.on('close', resolve))
  assert.deepEqual(await sendCommand(path, { command: 'decisions' }), [])
  await socket.close()
})

test('any line gets an answer, and only well-formed wishes are granted', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (line) => {
      assert.equal(typeof (await answer(line, fakeCommands())).ok, 'boolean')
    }),
  )
  const add = (wish: unknown) => answer(JSON.stringify({ command: 'addDecision', wish }), fakeCommands())
  assert.equal((await add({ effect: 'refuse', cidr: '192.0.2.0/24', forMs: 3_600_000 })).ok, true)
  for (const bad of [
    { effect: 'refuse', forMs: 3_600_000 },
    { effect: 'refuse', cidr: '192.0.2.0/24', asn: 64496, forMs: 3_600_000 },
    { effect: 'block', path: '/x', forMs: 3_600_000 },
    { effect: 'refuse', path: 'x', forMs: 3_600_000 },
    { effect: 'refuse', path: '/x', forMs: 1e15 },
    { effect: 'refuse', path: '/x' },
    { effect: 'refuse', asn: 1.5, forMs: 3_600_000 },
  ]) {
    assert.equal((await add(bad)).ok, false, JSON.stringify(bad))
  }
})

test('a purge is answered once it is done, and what is wrong with one is told', async () => {
  const path = join(folder, 'purge.sock')
  const commands = fakeCommands()
  const socket = await openCommandSocket(path, commands)
  assert.deepEqual(await sendCommand(path, { command: 'purge', what: { tag: 'news' } }), { removed: 3 })
  assert.deepEqual(commands.calls, [['purge', { tag: 'news' }]])
  await assert.rejects(sendCommand(path, { command: 'purge', what: { all: true } }), {
    code: 'DIGUE_REFUSED',
    message: 'expected a tag',
  })
  for (const what of [undefined, null, 'all', ['all'], 7]) {
    const response = await answer(JSON.stringify({ command: 'purge', what }), commands)
    assert.match(response.ok ? '' : response.error, /^what: expected an object/)
  }
  await socket.close()
})

test('what is no wish about a signature is refused with what is expected', async () => {
  const commands = fakeCommands()
  const id = 's0123456789'
  const wished = async (wish: unknown) => {
    const response = await answer(JSON.stringify({ command: 'changeSignature', wish }), commands)
    return response.ok ? '' : response.error
  }
  for (const wish of [
    { change: 'pin', id },
    { change: 'forbid', id, note: '' },
    { change: 'effect', id, site: 'a.example.org', effect: 'price' },
    { change: 'release', id },
  ])
    assert.equal(await wished(wish), '')
  assert.equal(commands.calls.length, 4)
  for (const [wish, told] of [
    [undefined, /^wish: expected an object/],
    [{ change: 'pin', id: '../x' }, /^id: expected one as shown/],
    [{ change: 'pin', id, site: 7 }, /^site: /],
    [{ change: 'forbid', id, note: 'n'.repeat(501) }, /^note: /],
    [{ change: 'effect', id, effect: 'allow' }, /^effect: /],
    [{ change: 'explode', id }, /^change: /],
  ] as const)
    assert.match(await wished(wish), told)
  assert.equal(commands.calls.length, 4)
  const asked = await answer(JSON.stringify({ command: 'signatures', site: 7 }), commands)
  assert.match(asked.ok ? '' : asked.error, /^site: /)
})

test('signatures are counted by state and by whose requests they fit', async () => {
  const metrics = new Metrics('1')
  const tally = [{ id: 's0123456789', requests: 10, proven: 3 }]
  metrics.report(edgeReport({ signatures: tally }))
  const signatures = {
    published: [{ isPinned: true } as never, { isPinned: false } as never],
    heldBack: [],
    forbidden: 4,
    calmVectors: 4000,
    calmClients: 3000,
    isReady: true,
    withdrawn: 1,
    leftOut: 0,
    samplesLost: 0,
  }
  const site = { name: 'a.example.org', posture: 'calm', limit: 0, inFlight: 0, waitingRoom: 0 } as const
  metrics.sites([{ ...site, waitingRoomLost: 0, signatures }])
  const text = await metrics.text()
  for (const line of [
    'digue_signatures{site="a.example.org",state="in-force"} 2',
    'digue_signatures{site="a.example.org",state="pinned"} 1',
    'digue_signatures{site="a.example.org",state="forbidden"} 4',
    'digue_signatures_withdrawn{site="a.example.org"} 1',
    'digue_signature_requests_total{site="a.example.org",proven="yes"} 3',
    'digue_signature_requests_total{site="a.example.org",proven="no"} 7',
  ])
    assert.ok(text.includes(`\n${line}\n`), line)
  metrics.keepOnly(new Set())
  assert.doesNotMatch(await metrics.text(), /digue_signatures\{/)
})

async function get(
  port: number,
  path: string,
  host: string,
  method = 'GET',
): Promise<{ status: number; body: string }> {
  const asked = request({ host: '127.0.0.1', port, path, method, headers: { host } }).end()
  const [response] = await once(asked, 'response')
  let body = ''
  for await (const chunk of response) body += chunk
  return { status: response.statusCode, body }
}

test('the metrics port serves figures to loopback names only and changes nothing', async () => {
  const metrics = new Metrics('1.2.3')
  metrics.report(
    edgeReport({
      waiting: 3,
      latency: LATENCY_BUCKETS_MS.map(() => 1).concat(2),
      tallies: [{ lane: 'unproven', action: 'shed', reason: 'over-share', count: 7, originMs: 0 }],
    }),
  )
  let healthy = true
  const port = await openMetricsPort(
    { host: '127.0.0.1', port: 0 },
    { text: () => metrics.text(), isHealthy: () => healthy },
  )
  const good = await get(port.port, '/metrics', `localhost:${port.port}`)
  assert.equal(good.status, 200)
  assert.match(
    good.body,
    /^digue_requests_total\{site="a\.example\.org",lane="unproven",action="shed",reason="over-share"\} 7$/m,
  )
  assert.match(good.body, /^digue_request_duration_seconds_bucket\{site="a\.example\.org",le="\+Inf"\} 16$/m)
  assert.match(good.body, /^digue_waiting_requests\{site="a\.example\.org"\} 3$/m)
  assert.match(good.body, /^digue_build_info\{version="1\.2\.3"\} 1$/m)
  assert.equal((await get(port.port, '/metrics', 'rebound.example.org')).status, 421)
  assert.equal((await get(port.port, '/metrics', '127.0.0.1.example.org')).status, 421)
  assert.equal((await get(port.port, '/metrics', 'localhost', 'POST')).status, 405)
  assert.equal((await get(port.port, '/nothing', 'localhost')).status, 404)
  assert.equal((await get(port.port, '/healthz', '[::1]')).status, 200)
  healthy = false
  assert.equal((await get(port.port, '/healthz', '127.0.0.1')).status, 503)
  await port.close()
})

test('the metrics port is never opened beyond loopback', async () => {
  await assert.rejects(
    openMetricsPort({ host: '0.0.0.0', port: 0 }, { text: async () => '', isHealthy: () => true }),
    /loopback/,
  )
})

test('series of a site that is gone from the configuration go too', async () => {
  const metrics = new Metrics('1')
  metrics.report(edgeReport({ waiting: 3, latency: [1] }))
  metrics.keepOnly(new Set())
  assert.doesNotMatch(await metrics.text(), /digue_(waiting_requests|request_duration_seconds_bucket)\{/)
})

test('a thousand invented event names make two hundred series', async () => {
  const metrics = new Metrics('1')
  metrics.report(
    edgeReport(
      {},
      { counters: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`event${i}`, 1])) },
    ),
  )
  assert.equal((await metrics.text()).match(/^digue_edge_events_total\{/gm)?.length, 200)
})

const LIBRARY = {
  responses: 12,
  memoryBytes: 3400,
  evicted: 5,
  notAdmitted: 0,
  variantsDropped: 0,
  outdated: 0,
  compressed: 7,
  compressionsSkipped: 0,
  disk: {
    responses: 40,
    bytes: 90_000,
    reads: 2,
    writes: 41,
    evicted: 1,
    faults: 0,
    failures: 0,
    writesDropped: 0,
    unfit: 0,
  },
}

test('what the library of stored responses counts is shown as it stands, also when it begins again', async () => {
  const metrics = new Metrics('1')
  const room = { memory: 64e6, disk: 1e9 }
  metrics.cache(LIBRARY, room)
  metrics.cache(LIBRARY, room)
  const text = await metrics.text()
  for (const line of [
    'digue_cache_responses{place="memory"} 12',
    'digue_cache_responses{place="disk"} 40',
    'digue_cache_bytes{place="disk"} 90000',
    'digue_cache_limit_bytes{place="memory"} 64000000',
    'digue_cache_evicted_total 5',
    'digue_cache_disk_writes_total 41',
  ])
    assert.ok(text.includes(`\n${line}\n`), line)
  metrics.cache({ ...LIBRARY, evicted: 1, disk: undefined }, room)
  assert.match(await metrics.text(), /^digue_cache_evicted_total 1$/m)
})

test('live figures are means over ten whole seconds, with the newest gauges of each thread', () => {
  const live = new LiveFigures()
  for (let second = 0; second < 30; second++) {
    for (const thread of [0, 1]) {
      live.take(
        edgeReport(
          {
            waiting: second + thread,
            latency: [0, 0, 10],
            tallies: [
              { lane: 'unproven', action: 'relay', reason: '', count: 10, originMs: 5 },
              { lane: 'unproven', action: 'shed', reason: 'over-share', count: 30, originMs: 0 },
              { lane: 'unproven', action: 'store', reason: '', count: 5, originMs: 0 },
              { lane: 'unproven', action: 'store', reason: 'stale', count: 2, originMs: 0 },
            ],
          },
          { thread },
        ),
        second * 1000,
      )
    }
  }
  const figures = live.site('a.example.org', 30_000)
  assert.deepEqual(figures.perSecond, { relay: 20, shed: 60, store: 14 })
  assert.deepEqual(figures.fromStorePerSecond, { fresh: 10, stale: 4, emergency: 0 })
  assert.deepEqual(figures.reasonsPerSecond, { 'over-share': 60 })
  assert.deepEqual(figures.lanesPerSecond, { unproven: 20 })
  assert.equal(figures.waiting, 29 + 30)
  assert.equal(figures.p50Ms, 5)
  assert.deepEqual(live.site('a.example.org', 100_000).perSecond, {})
  live.keepOnly(new Set())
  assert.equal(live.site('a.example.org', 30_000).waiting, 0)
})
