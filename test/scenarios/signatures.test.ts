import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { request } from 'undici'
import type { Policy, TraitSample } from '#control'
import { selfSigned } from '#edge'
import { buildNetworkSet } from '#networks'
import { EFFECTS, type Signature, signatureId, type Term, TRAITS, type TraitName } from '#recognise'
import { CALM, startDigue, startOrigin, type TestDigue } from './harness.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'digue-signatures-'))
  const { certificate, key } = selfSigned(['localhost'])
  await writeFile(join(folder, 'chain.pem'), certificate)
  await writeFile(join(folder, 'key.pem'), key)
})
after(() => rm(folder, { recursive: true }))

function startTls(origin: string): Promise<TestDigue> {
  return startDigue({
    origins: [origin],
    site: {
      hosts: ['localhost'],
      certificate: join(folder, 'chain.pem'),
      key: join(folder, 'key.pem'),
      // A stored answer would be served whoever asks.
      cache: { enabled: false },
    },
    config: { listen: [{ address: '127.0.0.1', port: 0, tls: true }] },
  })
}

interface Client {
  readonly name: string
  /** The status of the answer. */
  ask(path: string): Promise<number>
}

function over1(port: number, name: string, options: https.RequestOptions): Client {
  return {
    name,
    async ask(path) {
      const asked = https.request({
        host: '127.0.0.1',
        servername: 'localhost',
        port,
        path,
        rejectUnauthorized: false,
        agent: false,
        ...options,
        headers: { host: 'localhost', ...options.headers },
      })
      asked.end(options.method === 'POST' ? 'text' : undefined)
      const [response] = await once(asked, 'response')
      response.resume()
      await once(response, 'end')
      return response.statusCode
    },
  }
}

function over2(port: number): Client {
  return {
    name: 'HTTP/2',
    async ask(path) {
      const session = http2.connect(`https://localhost:${port}`, {
        lookup: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
        rejectUnauthorized: false,
        settings: { initialWindowSize: 123_456, enablePush: false },
      })
      const stream = session.request({ ':path': path, 'user-agent': 'FloodTool/2' })
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpStatusHeader]
      stream.resume()
      await once(stream, 'end')
      session.destroy()
      return headers[':status']!
    },
  }
}

function published(effect: Signature['effect'], terms: readonly Term[], serial: number): Policy {
  const signature: Signature = {
    id: signatureId(terms),
    terms,
    effect,
    isPinned: true,
    publishedAtMs: Date.now(),
    expiresAtMs: Date.now() + 600_000,
    support: 0.9,
    baseline: 0,
    baselineAtMost: 0.001,
    lift: 900,
    visitors: 0,
    reason: 'a test',
  }
  return { ...CALM, serial, signatures: { localhost: { signatures: [signature], familiar: {} } } }
}

const samplesOf = (digue: TestDigue): TraitSample[] =>
  digue.reports.flatMap((report) => Object.values(report.sites).flatMap(({ traits }) => traits ?? []))

const traitOf = (sample: TraitSample, trait: TraitName) =>
  sample.traits[TRAITS.findIndex(({ name }) => name === trait)]!

test('what the brain is shown of a client is what its signature then finds, however it speaks HTTP', async () => {
  await using origin = await startOrigin((message, response) => {
    message.resume()
    response.end('page')
  })
  await using digue = await startTls(origin.url)
  const clients: Client[] = [
    over1(digue.port, 'the fast path', { headers: { 'user-agent': 'FloodTool/1' } }),
    over1(digue.port, 'Node’s http', {
      method: 'POST',
      headers: { 'user-agent': 'SlowTool/1' },
    }),
    over2(digue.port),
  ]
  const samples: TraitSample[] = []
  for (const [n, client] of clients.entries()) {
    assert.equal(await client.ask(`/sample-${'abc'[n]}`), 200)
    // Its sample is in this report or an earlier one, and the next client's in a later one.
    await digue.record(({ target }) => target === `/sample-${'abc'[n]}`)
    const sample = samplesOf(digue).find((each) => traitOf(each, 'path') === `/sample-${'abc'[n]}`)
    assert.ok(sample, client.name)
    assert.notEqual(traitOf(sample, 'tls'), '')
    assert.equal(traitOf(sample, 'h2') !== '', client.name === 'HTTP/2')
    samples.push(sample)
  }
  assert.match(traitOf(samples[2]!, 'h2'), /^2:0;4:123456\|/)

  let serial = 2
  for (const [n, sample] of samples.entries()) {
    const traits: readonly TraitName[] = n === 2 ? ['tls', 'h2'] : ['tls', 'order', 'agent']
    const terms = traits.map((trait) => ({ trait, value: traitOf(sample, trait) }))
    digue.edge.setPolicy(published('refuse', terms, serial++))
    for (const [other, client] of clients.entries()) {
      const path = `/asked-${serial}-${other}`
      assert.equal(
        await client.ask(path),
        other === n ? 403 : 200,
        `${client.name} under that of ${clients[n]!.name}`,
      )
      const record = await digue.record(({ target }) => target === path)
      assert.equal(record.signature, other === n ? signatureId(terms) : '')
      assert.equal(record.reason, other === n ? 'signature' : '')
    }
  }
  const tallies = digue.reports.flatMap(({ sites }) => sites['localhost']?.signatures ?? [])
  assert.equal(
    tallies.reduce((sum, { requests }) => sum + requests, 0),
    3,
  )
})

test('a list and a rule act on every thread, on one that was replaced too, and end when they are taken away', async () => {
  await using origin = await startOrigin((_message, response) => response.end('page'))
  const site = { hosts: ['*'], origins: [origin.url], cache: { enabled: false } }
  const rule = Object.fromEntries([
    ['name', 'no-tool'],
    ['when', 'headers["user-agent"].startsWith("FloodTool")'],
    ['then', 'refuse'],
  ])
  await using digue = await startDigue({ sites: [{ ...site, rules: [rule] }] })
  const ask = async (path: string, agent: string) => {
    const response = await request(`${digue.url}${path}`, { headers: { 'user-agent': agent }, reset: true })
    await response.body.dump()
    return response
  }
  const refused = await ask('/rule', 'FloodTool/1')
  assert.equal(refused.statusCode, 403)
  assert.equal(refused.headers['digue-mitigated'], 'rule')
  assert.equal((await digue.record(({ target }) => target === '/rule')).rule, 'no-tool')
  assert.equal((await ask('/', 'Browser/1')).statusCode, 200)

  const v4 = Uint32Array.of(0x7f000000, 0x7fffffff)
  const group = { effect: EFFECTS.indexOf('refuse'), list: 1, ranges: { v4, v6: new Uint32Array() } }
  digue.edge.setLists(buildNetworkSet([group]), ['first', 'second'])
  digue.edge.killThread(0)
  await digue.event('thread-restarted')
  assert.equal((await ask('/list', 'Browser/1')).statusCode, 403)
  const record = await digue.record(({ target }) => target === '/list')
  assert.equal(record.reason, 'list')
  assert.equal(record.list, 'second')

  digue.edge.setLists(undefined, [])
  await digue.edge.reload({ ...digue.config, sites: [{ ...digue.config.sites[0]!, rules: [] }] })
  assert.equal((await ask('/', 'FloodTool/1')).statusCode, 200)
})

test('who is dropped after refusals and goes on connecting is told of, and nobody else', async () => {
  await using origin = await startOrigin((_message, response) => response.end('page'))
  await using digue = await startDigue({
    origins: [origin.url],
    policy: {
      ...CALM,
      decisions: [
        { id: '1', effect: 'refuse', cidr: '127.0.0.9/32', expiresAtMs: Date.now() + 600_000, note: '' },
      ],
    },
  })
  const from = (localAddress: string) => {
    const socket = net.connect({ host: '127.0.0.1', port: digue.port, localAddress })
    socket.on('error', () => {})
    socket.resume()
    return { socket, closed: new Promise<void>((resolve) => socket.once('close', () => resolve())) }
  }
  // Hundreds of refusals, within the few seconds in which they count.
  const { socket, closed } = from('127.0.0.9')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000))
  await closed
  assert.equal(
    digue.reports.some(({ offenders }) => offenders !== undefined),
    false,
  )
  for (let i = 0; i < 30; i++) await from('127.0.0.9').closed
  await digue.counted('connection-dropped', 25)
  const offenders = new Set(digue.reports.flatMap(({ offenders }) => offenders ?? []))
  assert.deepEqual([...offenders], ['127.0.0.9'])
})
