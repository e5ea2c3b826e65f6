import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SiteStatus, Status } from '#console'
import { statusText } from './status-text.ts'

const SITE: SiteStatus = {
  name: 'a.example.org',
  hosts: ['a.example.org'],
  mode: 'protect',
  posture: 'flooded',
  postureSinceMs: 0,
  why: 'Flooded: more is asked than the origin can serve.',
  lastMinute: { requests: 1000, served: 100, shed: 900, refused: 0, failed: 0 },
  waiting: 12,
  longLived: 0,
  queueDelayMs: 40,
  limit: 20.7,
  inFlight: 20,
  origins: [{ url: 'http://127.0.0.1:3000', healthy: false, reason: 'ECONNREFUSED\u001b[2J' }],
  networks: [{ asn: 64496, shareRatio: 0.42, calmShareRatio: 0.001 }],
  baselineRequests: 0,
  signatures: {
    published: [],
    heldBack: [],
    forbidden: 0,
    calmVectors: 0,
    calmClients: 0,
    isReady: false,
    withdrawn: 0,
    leftOut: 0,
    samplesLost: 0,
  },
  hasBaseline: false,
  perSecond: { relay: 100, shed: 900.4 },
  reasonsPerSecond: { 'over-share': 900.4 },
  lanesPerSecond: { unproven: 100 },
  p50Ms: 50,
  p99Ms: undefined,
}

const STATUS: Status = {
  version: '1.0.0',
  pid: 7,
  startedAtMs: 0,
  threads: 2,
  ports: [80, 443],
  attack: 'auto',
  bypass: false,
  decisions: 0,
  sites: [SITE],
  sitesLeftOut: 0,
  recordsLost: 0,
  warnings: [],
}

test('status says who is served, who is not and why, from where, and how the origin is', () => {
  const text = statusText(STATUS, 90_000)
  assert.match(text, /up 90 s, 2 edge threads on ports 80, 443/)
  assert.match(
    text,
    /a\.example\.org +flooded +100 +900 +0 +0 +20 of 20 +12 +50 ms +– +1 of 1 down: ECONNREFUSED/,
  )
  assert.match(text, /^a\.example\.org: Flooded: more is asked/m)
  assert.match(text, /from AS64496 42 % \(calm weather 0\.1 %\); relays, not authors/)
  assert.match(text, /900\/s +over-share/)
  assert.ok(!text.includes('\u001b'))
})

test('before its ports are open it says that it is starting', () => {
  const text = statusText({ ...STATUS, threads: 0, ports: [] }, 1000)
  assert.match(text, /^Digue 1\.0\.0, process 7, up 1 s, starting, no port is open yet$/m)
  assert.doesNotMatch(text, /edge threads/)
})

test('what an operator switched on is said first', () => {
  const text = statusText(
    { ...STATUS, bypass: true, attack: 'on', decisions: 3, warnings: ['origin-down'] },
    0,
  )
  assert.match(text, /BYPASS IS ON.*\n.*Attack mode is on by hand.*\n.*3 of your decisions.*\n! origin-down/)
})

test('a bound beyond the last bucket survives JSON', () => {
  const status = JSON.parse(
    JSON.stringify({ ...STATUS, sites: [{ ...SITE, p99Ms: Number.POSITIVE_INFINITY }] }),
  ) as Status
  assert.match(statusText(status, 0), /> 30 s/)
})
