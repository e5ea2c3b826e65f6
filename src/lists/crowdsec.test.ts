import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { buildNetworkSet, NetworkSet } from '#networks'
import { startFakeCrowdSec } from './crowdsec.fixture.ts'
import { askCrowdSec } from './crowdsec-client.ts'
import { CrowdSecDecisions, parseGoDuration } from './crowdsec-decisions.ts'
import { EFFECTS } from './effects.ts'

const folder = mkdtempSync(join(tmpdir(), 'digue-crowdsec-'))
after(() => rmSync(folder, { recursive: true }))

const decision = (value: string, more: Record<string, unknown> = {}) => ({
  id: 1,
  origin: 'cscli',
  scenario: 'x',
  scope: 'Ip',
  type: 'ban',
  value,
  duration: '4h',
  ...more,
})

function effectOf(decisions: CrowdSecDecisions, address: string): string | undefined {
  const found = new NetworkSet(buildNetworkSet(decisions.groups().groups)).find(address)
  return found === undefined ? undefined : EFFECTS[found.effect]
}

describe('decisions', () => {
  test('durations as Go writes them', () => {
    assert.equal(parseGoDuration('3h59m55.756182786s'), 3 * 3_600_000 + 59 * 60_000 + 55_756.182786)
    assert.equal(parseGoDuration('-18h10m'), -(18 * 3_600_000 + 600_000))
    assert.equal(parseGoDuration('1.5ms'), 1.5)
    assert.equal(parseGoDuration('0'), 0)
    for (const text of ['', '4', 'h', '4 h', '1e9s', 'PT4H', `${'1h'.repeat(100)}`])
      assert.equal(parseGoDuration(text), undefined, text)
  })

  test('a ban refuses, a captcha asks a price, anything else weighs', () => {
    const decisions = new CrowdSecDecisions()
    decisions.apply(
      {
        new: [
          decision('192.0.2.1'),
          decision('192.0.2.2', { type: 'captcha' }),
          decision('192.0.2.3', { type: 'throttle' }),
          decision('192.0.2.4', { type: 'constructor' }),
          decision('198.51.100.0/24', { scope: 'Range' }),
          decision('203.0.113.1', { type: 'captcha' }),
          decision('203.0.113.1'),
        ],
        deleted: null,
      },
      true,
      0,
    )
    assert.equal(effectOf(decisions, '192.0.2.1'), 'refuse')
    assert.equal(effectOf(decisions, '192.0.2.2'), 'price')
    assert.equal(effectOf(decisions, '192.0.2.3'), 'weight')
    assert.equal(effectOf(decisions, '192.0.2.4'), 'weight')
    assert.equal(effectOf(decisions, '198.51.100.9'), 'refuse')
    assert.equal(effectOf(decisions, '203.0.113.1'), 'refuse')
    assert.equal(effectOf(decisions, '192.0.2.5'), undefined)
  })

  test('the operator’s `then` holds for all kinds', () => {
    const decisions = new CrowdSecDecisions('wait')
    decisions.apply({ new: [decision('192.0.2.1'), decision('192.0.2.2', { type: 'captcha' })] }, true, 0)
    assert.equal(effectOf(decisions, '192.0.2.1'), 'wait')
    assert.equal(effectOf(decisions, '192.0.2.2'), 'wait')
  })

  test('other scopes and simulations are ignored and counted, nonsense too', () => {
    const decisions = new CrowdSecDecisions()
    decisions.apply(
      {
        new: [
          decision('FR', { scope: 'Country' }),
          decision('somebody', { scope: 'Username' }),
          decision('192.0.2.1', { simulated: true }),
          decision('not an address'),
          decision('192.0.2.1', { duration: 'soon' }),
          decision('10.0.0.1'),
          decision('0.0.0.0/0', { scope: 'Range' }),
          null,
          'x',
          { scope: 1 },
        ],
      },
      true,
      0,
    )
    assert.equal(decisions.ignored, 3)
    assert.equal(decisions.wrong, 5)
    const { groups, local, wide } = decisions.groups()
    assert.deepEqual([local, wide], [1, 1])
    assert.ok(new NetworkSet(buildNetworkSet(groups)).isEmpty)
  })

  test('what is deleted ends, what is new in the same answer stands', () => {
    const decisions = new CrowdSecDecisions()
    decisions.apply({ new: [decision('192.0.2.1'), decision('192.0.2.2')] }, true, 0)
    const changed = decisions.apply(
      {
        new: [decision('192.0.2.2', { duration: '8h' })],
        deleted: [decision('192.0.2.1', { duration: '-1m' }), decision('192.0.2.2', { duration: '-1m' })],
      },
      false,
      1000,
    )
    assert.deepEqual(changed, { changed: true })
    assert.equal(effectOf(decisions, '192.0.2.1'), undefined)
    assert.equal(effectOf(decisions, '192.0.2.2'), 'refuse')
    assert.deepEqual(decisions.apply({ new: null, deleted: null }, false, 2000), { changed: false })
    // A whole answer forgets what it does not tell of.
    decisions.apply({ new: [decision('192.0.2.3')] }, true, 3000)
    assert.equal(decisions.size, 1)
  })

  test('a decision ends by itself, though nobody deletes it', () => {
    const decisions = new CrowdSecDecisions()
    decisions.apply({ new: [decision('192.0.2.1', { duration: '1m' }), decision('192.0.2.2')] }, true, 0)
    assert.equal(decisions.expire(59_999), false)
    assert.equal(decisions.expire(60_000), true)
    assert.equal(decisions.size, 1)
  })

  test('there are no more than may be, and those beyond are counted', () => {
    const decisions = new CrowdSecDecisions(undefined, 10)
    decisions.apply({ new: Array.from({ length: 15 }, (_, i) => decision(`192.0.2.${i}`)) }, true, 0)
    assert.deepEqual([decisions.size, decisions.leftOut], [10, 5])
  })

  test('whatever is answered, nothing throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.boolean(), (answer, isWhole) => {
        const decisions = new CrowdSecDecisions()
        decisions.apply(answer, isWhole, 0)
        decisions.apply({ new: [answer], deleted: [answer] }, isWhole, 0)
        decisions.groups()
      }),
    )
    const decisions = new CrowdSecDecisions()
    for (const answer of [null, [], 'x', { new: {} }, { deleted: 7 }])
      assert.ok('fault' in decisions.apply(answer, true, 0))
  })
})

describe('the local API', () => {
  const keyFile = join(folder, 'key')
  const options = { userAgent: 'digue/test' }

  test('is asked for all, then for what has changed', async () => {
    await using lapi = await startFakeCrowdSec()
    writeFileSync(keyFile, `${lapi.key}\n`)
    lapi.add({ value: '192.0.2.1' }, { value: 'FR', scope: 'Country' })
    const first = await askCrowdSec({ url: lapi.url, keyFile }, true, options)
    assert.ok(first.kind === 'decisions')
    assert.equal((first.answer as { new: unknown[] }).new.length, 1)
    assert.equal(lapi.asked[0]!.url, '/v1/decisions/stream?startup=true&scopes=ip%2Crange')
    assert.equal(lapi.asked[0]!.headers['user-agent'], 'digue/test')
    const second = await askCrowdSec({ url: lapi.url, keyFile }, false, options)
    assert.deepEqual(second, { kind: 'decisions', answer: { new: null, deleted: null } })
  })

  test('a key that it does not know is told with what to do, and never shown', async () => {
    await using lapi = await startFakeCrowdSec()
    writeFileSync(keyFile, 'not-the-key-that-it-knows')
    const result = await askCrowdSec({ url: lapi.url, keyFile }, true, options)
    assert.ok(result.kind === 'failed')
    assert.match(
      result.fault,
      /^CrowdSec does not know the key in .*\(403\); `cscli bouncers add digue` prints a new one$/,
    )
    assert.ok(!result.fault.includes('not-the-key'))
  })

  test('a key file that is missing, empty or no key', async () => {
    const ask = async (file: string) => {
      const result = await askCrowdSec({ url: 'http://127.0.0.1:9', keyFile: file }, true, options)
      assert.ok(result.kind === 'failed')
      return result.fault
    }
    assert.match(await ask(join(folder, 'nowhere')), /ENOENT/)
    for (const text of ['', 'two\nlines', 'k\x00', 'k'.repeat(2000)]) {
      writeFileSync(keyFile, text)
      assert.match(await ask(keyFile), /cscli bouncers add digue/)
    }
    writeFileSync(keyFile, 'topsecret')
    assert.equal(
      await ask(keyFile),
      'CrowdSec’s local API at http://127.0.0.1:9 does not answer (ECONNREFUSED)',
    )
  })

  test('another program in its place is told as such, and its redirects are not followed', async () => {
    let status = 200
    const server = createServer((_, response) =>
      response.writeHead(status, { location: 'http://169.254.169.254/' }).end('<html>'),
    ).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    writeFileSync(keyFile, 'topsecret')
    const faults: string[] = []
    for (status of [200, 302, 500]) {
      const result = await askCrowdSec({ url, keyFile }, true, options)
      assert.ok(result.kind === 'failed')
      faults.push(result.fault)
    }
    assert.match(faults[0]!, /is that CrowdSec/)
    assert.match(faults[1]!, /status 302/)
    assert.match(faults[2]!, /status 500/)
    server.closeAllConnections()
    server.close()
  })
})
