import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { reportHtml } from './html.ts'
import { Learner, parseLearned } from './learned.ts'
import { BROWSERS, merged, pick, type Request, replayOf, START_S, seeded, visitors } from './log.fixture.ts'
import type { Replay } from './replay.ts'
import { NO_HOST } from './replay.ts'
import type { ReplayReport, SiteFigures } from './report.ts'
import { reportOf } from './report-of.ts'
import { reportText } from './text.ts'

function reported(replay: Replay): ReplayReport {
  return reportOf(replay, {
    files: [],
    madeAtMs: 0,
    timeZone: 'UTC',
    networks: 'none',
    names: { operatorOf: () => '', countryOf: () => '' },
    hasBaseline: false,
  })
}

const theSite = (replay: Replay): SiteFigures => reported(replay).sites[0]!

function* flood(
  fromS: number,
  toS: number,
  perSecond: number,
  random: () => number,
  shown: (i: number) => Partial<Request>,
): Generator<Request> {
  let i = 0
  for (let second = fromS; second < toS; second++)
    for (let n = 0; n < perSecond; n++) {
      const bot = Math.floor(random() * 4000)
      yield {
        second,
        client: `45.140.${bot >> 8}.${bot & 255}`,
        target: '/search?q=1',
        status: 503,
        ...shown(i++),
      }
    }
}

describe('incidents', () => {
  for (const seed of [1, 2, 3]) {
    test(`a calm day with its tides has none, and no signature (${seed})`, () => {
      const random = seeded(seed)
      // Two hours at each of a night's, a morning's and an evening's rates.
      const day = [3, 6, 15, 30, 60, 40].map((rate, i) => visitors(i * 1200, (i + 1) * 1200, rate, random))
      const site = theSite(replayOf(merged(...day), {}, seed))
      assert.deepEqual(site.incidents, [])
      assert.deepEqual(site.troubles, [])
      assert.ok(site.calm.requests > 100_000)
    })

    test(`a flood of one tool begins to the second, is under a signature, and hardly a visitor is (${seed})`, () => {
      const random = seeded(seed)
      const site = theSite(
        replayOf(
          merged(
            visitors(0, 1500, 40, random),
            flood(1200, 1260, 900, random, () => ({ agent: 'python-requests/2.31.0' })),
          ),
          {},
          seed,
        ),
      )
      assert.equal(site.incidents.length, 1)
      const [incident] = site.incidents
      assert.ok(Math.abs(incident!.onsetMs / 1000 - START_S - 1200) <= 2)
      assert.ok(Math.abs(incident!.endMs / 1000 - START_S - 1260) <= 2)
      assert.equal(incident!.looksLike, 'attack')
      assert.ok(incident!.signatures.length >= 1)
      assert.ok(incident!.signatures[0]!.secondsAfterOnset <= 2)
      assert.ok(incident!.signedShare > 0.9, String(incident!.signedShare))
      assert.ok(incident!.knownTouchedShare <= 0.001)
      assert.ok(Math.abs(incident!.clients - 4000 - 1000) < 1500, String(incident!.clients))
      assert.ok(incident!.peakPerSecond >= 900)
    })

    test(`a link that goes viral is an incident that looks like a crowd, without a signature (${seed})`, () => {
      const random = seeded(seed)
      const crowd: Request[] = []
      for (let second = 1200; second < 2000; second++) {
        const visits = Math.round(100 * Math.min(1, (second - 1200) / 240))
        for (let v = 0; v < visits; v++) {
          const client = `81.251.${Math.floor(random() * 250)}.${Math.floor(random() * 254) + 1}`
          const agent = pick(BROWSERS, random)
          crowd.push({
            second,
            client,
            agent,
            target: '/news/viral',
            referrer: random() < 0.6 ? 'https://social.example/' : '',
          })
          for (const target of ['/style.css', '/app.js', '/logo.svg'])
            crowd.push({ second, client, agent, target, referrer: 'https://www.example.org/news/viral' })
        }
      }
      const site = theSite(replayOf(merged(visitors(0, 2100, 30, random), crowd), {}, seed))
      assert.equal(site.incidents.length, 1)
      assert.notEqual(site.incidents[0]!.looksLike, 'attack')
      assert.equal(site.incidents[0]!.looksLike, 'flash crowd')
      assert.deepEqual(site.incidents[0]!.signatures, [])
    })
  }

  test('an imitator of the most common visitor is an incident, and gets no signature', () => {
    const random = seeded(5)
    const site = theSite(
      replayOf(
        merged(
          visitors(0, 1300, 40, random),
          flood(1200, 1260, 600, random, () => ({ agent: BROWSERS[0], target: '/', status: 200 })),
        ),
      ),
    )
    assert.equal(site.incidents.length, 1)
    assert.deepEqual(site.incidents[0]!.signatures, [])
  })

  test('a flood in waves is one incident', () => {
    const random = seeded(6)
    const waves = [1200, 1290, 1500].map((from) =>
      flood(from, from + 30, 900, random, () => ({ agent: 'x/1' })),
    )
    const site = theSite(replayOf(merged(visitors(0, 2600, 30, random), ...waves)))
    assert.equal(site.incidents.length, 1)
    assert.equal(site.incidents[0]!.waves, 3)
    assert.ok(Math.abs(site.incidents[0]!.requests - 81_000) < 9000)
  })

  test('a slow flood shows by the answers of a server that has too much to do', () => {
    const random = seeded(7)
    const site = theSite(
      replayOf(
        merged(
          visitors(0, 1300, 10, random),
          flood(1000, 1100, 35, random, () => ({ agent: 'x/1', status: 503 })),
        ),
      ),
    )
    assert.equal(site.incidents.length, 1)
    assert.ok(Math.abs(site.incidents[0]!.onsetMs / 1000 - START_S - 1000) <= 2)
  })

  test('a site that fails without more requests has trouble of its own, and no incident', () => {
    const random = seeded(8)
    const requests = merged(visitors(0, 1300, 30, random)).map((request) =>
      request.second >= 1000 && request.second < 1060 ? { ...request, status: 502 } : request,
    )
    const site = theSite(replayOf(requests))
    assert.deepEqual(site.incidents, [])
    assert.equal(site.troubles.length, 1)
    assert.ok(site.troubles[0]!.overloadedShare > 0.9)
    assert.match(reportText(reported(replayOf(requests))), /The fault was not a flood/)
  })

  test('a burst of a few seconds is no incident', () => {
    const random = seeded(9)
    const site = theSite(
      replayOf(
        merged(
          visitors(0, 1300, 30, random),
          flood(1000, 1003, 900, random, () => ({})),
        ),
      ),
    )
    assert.deepEqual(site.incidents, [])
    assert.ok(site.burstSeconds >= 3)
  })

  test('an address that hammers is named', () => {
    const random = seeded(10)
    const site = theSite(
      replayOf(
        merged(
          visitors(0, 1300, 30, random),
          flood(1000, 1060, 600, random, (i) => (i % 2 === 0 ? { client: '192.0.2.66' } : {})),
        ),
      ),
    )
    assert.equal(site.incidents[0]!.hammering[0]!.address, '192.0.2.66')
    assert.ok(Math.abs(site.incidents[0]!.hammering[0]!.perSecond - 300) < 15)
  })

  test('with a learned baseline a log that begins in the flood is understood', () => {
    const random = seeded(11)
    const learner = new Learner(seeded(1))
    const before = replayOf(visitors(0, 1800, 40, random), {
      onCalm: (site, client, atMs, traits) => learner.take(site, client, atMs, traits),
    })
    const learned = parseLearned(JSON.stringify(learner.learned(before, 0)))
    const attack = () =>
      merged(
        visitors(0, 120, 40, seeded(12)),
        flood(1, 100, 900, seeded(13), () => ({ agent: 'python-requests/2.31.0' })),
      )
    assert.deepEqual(theSite(replayOf(attack())).incidents, [])
    const site = theSite(replayOf(attack(), { learned: () => learned.sites[NO_HOST] }))
    assert.equal(site.incidents.length, 1)
    assert.ok(Math.abs(site.incidents[0]!.onsetMs / 1000 - START_S - 1) <= 2)
    assert.equal(site.incidents[0]!.looksLike, 'attack')
    assert.ok(site.incidents[0]!.signatures.length >= 1)
  })
})

describe('order and bounds', () => {
  test('lines up to ten seconds late change nothing; later ones are counted', () => {
    const random = seeded(20)
    const requests = merged(
      visitors(0, 1300, 30, random),
      flood(1000, 1060, 600, random, () => ({ agent: 'x/1' })),
    )
    const inOrder = theSite(replayOf(requests))
    // Logged when they end: up to eight seconds after their time.
    const late = requests
      .map((request) => ({ request, at: request.second + random() * 8 }))
      .sort((a, b) => a.at - b.at)
      .map(({ request }) => request)
    const replay = replayOf(late)
    assert.equal(replay.counters.late, 0)
    const [a, b] = [inOrder.incidents[0]!, theSite(replay).incidents[0]!]
    assert.deepEqual(
      [b.onsetMs, b.endMs, b.requests, b.peakPerSecond],
      [a.onsetMs, a.endMs, a.requests, a.peakPerSecond],
    )

    const worse = replayOf([...requests, ...visitors(100, 110, 30, random)])
    assert.ok(worse.counters.late > 200)
    assert.equal(worse.counters.requests, requests.length + worse.counters.late)
  })

  test('one line with a clock of next century does not take the window with it', () => {
    const random = seeded(21)
    const requests = [...visitors(0, 600, 20, random)]
    requests.splice(5000, 0, { second: 3_000_000_000, client: '192.0.2.1' })
    const replay = replayOf(requests)
    assert.equal(replay.counters.stray, 1)
    assert.equal(replay.counters.late, 0)
    assert.equal(replay.counters.requests, requests.length - 1)
  })

  test('a log with hours between its lines is read to its end', () => {
    const requests = Array.from({ length: 50 }, (_, i) => ({ second: i * 7200, client: '192.0.2.1' }))
    const replay = replayOf(requests)
    assert.deepEqual([replay.counters.requests, replay.counters.late, replay.counters.stray], [50, 0, 0])
    assert.equal(theSite(replay).requests, 50)
  })

  test('one line, no line', () => {
    assert.equal(theSite(replayOf([{ second: 0, client: '192.0.2.1' }])).requests, 1)
    const nothing = reported(replayOf([]))
    assert.deepEqual(nothing.sites, [])
    assert.match(reportText(nothing), /No request/)
    assert.match(reportHtml(nothing), /No request/)
  })

  test('a second with more requests than the window has rows is judged early and loses none', () => {
    const random = seeded(22)
    const requests = merged(
      visitors(0, 700, 20, random),
      flood(600, 610, 1500, random, () => ({ agent: 'x/1' })),
    )
    const replay = replayOf(requests, { rows: 2048 })
    assert.equal(replay.counters.requests, requests.length)
    assert.equal(theSite(replay).requests, requests.length)
    assert.ok(replay.counters.hurried > 0)
  })

  test('months without a log are no calm weather', () => {
    const random = seeded(24)
    const later = 180 * 86_400
    const site = theSite(
      replayOf([...visitors(0, 900, 100, random), ...visitors(later, later + 900, 100, random)]),
    )
    assert.deepEqual(site.incidents, [])
    assert.ok(site.calm.peakPerSecond > 80)
  })

  test('who logs his balancer instead of his visitors is told', () => {
    const requests = [...visitors(0, 300, 20, seeded(25))].map((one) => ({ ...one, client: '10.0.0.9' }))
    assert.match(reportText(reported(replayOf(requests))), /come from\s+10\.0\.0\.9/)
  })

  test('made-up hosts do not make sites', () => {
    const random = seeded(23)
    const requests = [
      ...visitors(0, 300, 20, random),
      ...Array.from({ length: 20_000 }, (_, i) => ({
        second: 300 + Math.floor(i / 50),
        client: '192.0.2.1',
        host: `made-up-${i}.example`,
        status: 404,
      })),
    ]
    const replay = replayOf(requests)
    assert.ok(replay.sites.size <= 10, String(replay.sites.size))
    assert.equal(
      reported(replay).sites.reduce((sum, site) => sum + site.requests, 0),
      requests.length,
    )
  })

  test('what is asked for is all that is counted', () => {
    const requests: Request[] = [
      { second: 0, client: '192.0.2.1', host: 'a.example' },
      { second: 1, client: '192.0.2.1', host: 'b.example' },
      { second: 2, client: '192.0.2.1' },
      { second: 3, client: 'no-address', host: 'a.example' },
      { second: 9, client: '192.0.2.1', host: 'a.example' },
    ]
    const replay = replayOf(requests, {
      siteOf: (host) => (host === 'a.example' ? host : undefined),
      untilMs: (START_S + 5) * 1000,
    })
    assert.deepEqual(
      [replay.counters.requests, replay.counters.outside, replay.counters.noAddress],
      [1, 3, 1],
    )
  })
})

describe('what a stranger wrote', () => {
  const evil = '<script>alert(1)</script>"\'&\u001b[2J\u202e\u0000'

  test('is text in the page and steers no terminal', () => {
    const random = seeded(30)
    const replay = replayOf(
      merged(
        visitors(0, 1000, 30, random),
        flood(900, 960, 600, random, () => ({
          agent: `Mozilla/5.0 ${evil}`,
          target: `/${evil}`,
          referrer: `https://${evil}/`,
          host: '',
          method: 'GET',
        })),
        [{ second: 5, client: '192.0.2.1', host: evil }],
      ),
    )
    const report = reported(replay)
    const html = reportHtml(report)
    assert.doesNotMatch(html, /<script/i)
    assert.doesNotMatch(html, /[\u001b\u202e\u0000]/)
    // Only its own style is allowed to act, and nothing may be fetched.
    assert.match(html, /default-src 'none'; style-src 'sha256-/)
    assert.doesNotMatch(html, /\b(?:src|href)=/)
    const text = reportText(report)
    assert.doesNotMatch(text, /[\u001b\u202e\u0000]/)
    assert.match(text, /<script>alert/)
  })

  test('keeps to 80 columns', () => {
    const random = seeded(31)
    const replay = replayOf(
      merged(
        visitors(0, 1000, 30, random),
        flood(900, 960, 600, random, (i) => ({
          agent: `${'x'.repeat(500)}${i}`,
          target: `/${'ü'.repeat(200)}/${i}`,
          client: `2001:db8:${(i % 4096).toString(16)}::1`,
        })),
      ),
    )
    for (const line of reportText(reported(replay)).split('\n'))
      assert.ok([...line].length <= 80, `${[...line].length}: ${line}`)
  })

  test('a learned baseline that is damaged is refused or read within bounds', () => {
    for (const text of ['', '{', 'null', '[]', '{"format":"digue-baseline","version":2}'])
      assert.throws(() => parseLearned(text), { code: 'DIGUE_LEARNED' })
    const odd = parseLearned(
      '{"format":"digue-baseline","version":1,"sites":{"__proto__":{"rates":{"requests":[1e999,"x",-5]},"shape":{"sums":{}},"clients":[["192.0.2.1",-1],["x"],7],"vectors":[["192.0.2.1",1,[7,null]],["x"]]}}}',
    )
    const site = Object.values(odd.sites)[0]!
    assert.deepEqual(site.rates.requests, [0, 0, 0])
    assert.deepEqual(site.clients, [['192.0.2.1', 0]])
    assert.equal(site.vectors.length, 1)
    assert.ok(site.vectors[0]![2].every((value) => value === ''))
  })
})
