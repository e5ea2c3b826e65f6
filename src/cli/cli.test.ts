import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type Logger, pino } from 'pino'
import { readConfigValue } from '#config'
import type { EdgeReport } from '#control'
import type { ExchangeRecord } from '#record'
import { AccessLog } from './access-log.ts'
import { startDemoSite } from './demo-site.ts'
import { checkCertificates } from './doctor.ts'
import { defaultStateFolder } from './locate.ts'
import { parseOldLog } from './old-log.ts'
import { plain, table } from './output.ts'
import { listeningAddresses, parseProcNet } from './proc-net.ts'
import { RequestLog } from './request-log.ts'
import { withSelfSigned } from './self-signed.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-cli-'))
after(() => rmSync(folder, { recursive: true }))

function record(changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    atMs: 0,
    ray: 'r',
    site: 's',
    client: '192.0.2.1',
    asn: 0,
    method: 'GET',
    target: '/',
    version: '1.1',
    userAgent: '',
    referer: '',
    action: 'shed',
    reason: 'over-share',
    lane: 'unproven',
    ja4: '',
    status: 503,
    bytes: 0,
    durationMs: 1,
    originMs: 0,
    ...changes,
  }
}

/** A report of `records`, and of `unrecorded` more that were shed. */
function report(records: readonly ExchangeRecord[], unrecorded = 0): EdgeReport {
  const tallies = [
    ...records.map(({ action, reason }) => ({
      lane: 'unproven' as const,
      action,
      reason,
      count: 1,
      originMs: 0,
    })),
    {
      lane: 'unproven' as const,
      action: 'shed' as const,
      reason: 'over-share',
      count: unrecorded,
      originMs: 0,
    },
    // Served and not recorded: nobody wants to know.
    { lane: 'unproven' as const, action: 'relay' as const, reason: '', count: 1000, originMs: 0 },
  ]
  const site = {
    tallies,
    queueDelayMs: 0,
    queueDelayMaxMs: 0,
    waiting: 0,
    longLived: 0,
    calm: [],
    calmLost: 0,
    latency: [],
    origins: [],
  }
  return { thread: 0, atMs: 0, sites: { s: site }, gauges: {}, counters: {}, records, recordsLost: 0 }
}

function captured(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  return { lines, log: pino({ base: null }, { write: (text: string) => void lines.push(JSON.parse(text)) }) }
}

test('a flood of request lines is cut to perSecond, and the number left out is stated once a second', () => {
  const { log, lines } = captured()
  let leftOut = 0
  const requests = new RequestLog(
    log,
    { level: 'info', requests: 'mitigated', perSecond: 10 },
    (count) => (leftOut += count),
  )
  requests.offer(
    report(
      Array.from({ length: 500 }, () => record()),
      7,
    ),
    1000,
  )
  requests.offer(report(Array.from({ length: 500 }, () => record())), 1500)
  assert.equal(lines.length, 10)
  requests.tick(2000)
  assert.deepEqual([lines.length, lines[10]!['leftOut'], leftOut], [11, 997, 997])
  requests.tick(3000)
  assert.equal(lines.length, 11)
})

test('ordinary requests are logged only when all are wanted; noticed ones always', () => {
  const { log, lines } = captured()
  const settings = { level: 'info', requests: 'mitigated', perSecond: 10 } as const
  const requests = new RequestLog(log, settings, () => {})
  requests.offer(
    report([record({ action: 'relay', reason: '' }), record({ action: 'relay', reason: 'observed' })]),
    1000,
  )
  assert.equal(lines.length, 1)
  requests.configure({ ...settings, requests: 'all' })
  requests.offer(report([record({ action: 'relay', reason: '' })]), 1000)
  assert.equal(lines.length, 2)
  requests.configure({ ...settings, requests: 'none' })
  requests.offer(report([record()]), 1000)
  assert.equal(lines.length, 2)
})

test('the access log has each line once, in order, across a reopening', async () => {
  const path = join(folder, 'access.log')
  const log = new AccessLog(path, { onLost: () => assert.fail('lost'), onTrouble: assert.fail })
  for (let i = 0; i < 50; i++) {
    log.append([record({ target: `/${i}` })], 0)
    if (i % 10 === 0) log.reopen()
  }
  await log.close()
  const targets = [...readFileSync(path, 'utf8').matchAll(/GET \/(\d+) /g)].map((match) => Number(match[1]))
  assert.deepEqual(
    targets,
    Array.from({ length: 50 }, (_, i) => i),
  )
})

test('a folder in the place of the access log is a trouble told once, and lines are counted as lost', async () => {
  const path = join(folder, 'is-a-folder')
  mkdirSync(path)
  let lost = 0
  const troubles: string[] = []
  const told = Promise.withResolvers<void>()
  const log = new AccessLog(path, {
    onLost: (lines) => (lost += lines),
    onTrouble: (message) => {
      troubles.push(message)
      told.resolve()
    },
  })
  log.append([record(), record()], 0)
  await told.promise
  log.append([record()], 0)
  assert.equal(lost, 3)
  assert.equal(troubles.length, 1)
  await log.close()
})

test('listening addresses are read as Linux writes them', () => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0100007F:1F91 0100007F:1F92 01 00000000:00000000 00:00000000 00000000     0        0 3
   3: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0:0 0
   4: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0
   5: B80D0120000000000000000001000000:0017 00000000000000000000000000000000:0000 0A 0:0 0
`
  assert.deepEqual(parseProcNet(text), [
    { address: '127.0.0.1', port: 8080 },
    { address: '0.0.0.0', port: 80 },
    { address: '::1', port: 443 },
    { address: '::', port: 22 },
    { address: '2001:db8::1', port: 23 },
  ])
})

test('a listener of this process is among the listening addresses', {
  skip: listeningAddresses() === undefined && 'no /proc here',
}, async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  assert.ok(listeningAddresses()!.some((one) => one.port === port && one.address === '127.0.0.1'))
  server.close()
})

test('self-signed certificates are made once, private, and for sites without one only', () => {
  const result = readConfigValue(
    {
      state: join(folder, 'state'),
      listen: ['127.0.0.1:0 tls'],
      sites: [{ host: 'a.example.org', origin: 'http://127.0.0.1:1' }],
    },
    { selfSigned: true },
  )
  assert.ok(result.ok)
  const once = withSelfSigned(result.config, Date.now()).sites[0]!
  const twice = withSelfSigned(result.config, Date.now()).sites[0]!
  assert.equal(once.certificate, twice.certificate)
  assert.equal(statSync(once.key!).mode & 0o777, 0o600)
  const before = readFileSync(once.certificate!, 'utf8')
  withSelfSigned(result.config, Date.now() + 40 * 86_400_000)
  assert.notEqual(readFileSync(once.certificate!, 'utf8'), before, 'an expired one is made anew')

  const config = { ...result.config, sites: [once] }
  assert.equal(checkCertificates(config, Date.now())[0]!.level, 'good')
  assert.equal(checkCertificates(config, Date.now() + 20 * 86_400_000)[0]!.level, 'warn')
  assert.equal(checkCertificates(config, Date.now() + 40 * 86_400_000)[0]!.level, 'bad')
  writeFileSync(once.certificate!, 'junk')
  assert.equal(checkCertificates(config, Date.now())[0]!.level, 'bad')
})

test('the demo site serves its pages, escapes nothing it did not write, and closes', async () => {
  const site = await startDemoSite()
  const page = async (path: string) => {
    const response = await fetch(site.url + path)
    return { status: response.status, text: await response.text() }
  }
  assert.match((await page('/')).text, /Town library/)
  assert.match((await page('/article/7?x=1')).text, /Note 7/)
  const odd = await page('/<script>')
  assert.equal(odd.status, 404)
  assert.doesNotMatch(odd.text, /<script>/)
  await site.close()
})

test('what is printed cannot steer a terminal', () => {
  assert.equal(plain('a\u001b[2Jb\u202ec\n'), 'a�[2Jb�c�')
  assert.equal(
    table([
      ['a', 'n'],
      ['bb', '7'],
      ['c', '10'],
    ]),
    'a   n\nbb   7\nc   10\n',
  )
})

test('small readings', () => {
  assert.deepEqual(parseOldLog('/var/log/access.log'), { site: '', path: '/var/log/access.log' })
  assert.deepEqual(parseOldLog('Shop.example.org=/var/log/shop.log'), {
    site: 'shop.example.org',
    path: '/var/log/shop.log',
  })
  assert.equal(defaultStateFolder({ STATE_DIRECTORY: '/var/lib/digue' }), '/var/lib/digue')
  assert.equal(defaultStateFolder({ XDG_STATE_HOME: '/home/x/.state' }), '/home/x/.state/digue')
})
