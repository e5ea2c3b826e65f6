import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { agentOf } from './agent.ts'

const chrome = (platform: string, version: string, more = '') =>
  `Mozilla/5.0 (${platform}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version} ${more}`.trim()
const WINDOWS = 'Windows NT 10.0; Win64; x64'
const MAC = 'Macintosh; Intel Mac OS X 10_15_7'
const IPHONE = 'iPhone; CPU iPhone OS 18_1 like Mac OS X'

/** Agents as their makers send them, what they are taken for, and whose behaviour they claim. */
const CASES: readonly (readonly [text: string, value: string, engine: string])[] = [
  [chrome(WINDOWS, '156.0.0.0', 'Safari/537.36'), 'Chrome/Windows', 'chrome'],
  [chrome(WINDOWS, '109.0.0.0', 'Safari/537.36'), 'Chrome/Windows old', 'chrome'],
  [chrome('Windows NT 6.1; Win64; x64', '87.0.4280.88', 'Safari/537.36'), 'Chrome/Windows ancient', 'chrome'],
  [chrome(MAC, '156.0.0.0', 'Safari/537.36'), 'Chrome/macOS', 'chrome'],
  [chrome('X11; Linux x86_64', '156.0.0.0', 'Safari/537.36'), 'Chrome/Linux', 'chrome'],
  [chrome('X11; CrOS x86_64 14541.0.0', '156.0.0.0', 'Safari/537.36'), 'Chrome/ChromeOS', 'chrome'],
  [chrome('Linux; Android 10; K', '156.0.0.0', 'Mobile Safari/537.36'), 'Chrome/Android', 'chrome'],
  [chrome(WINDOWS, '156.0.0.0', 'Safari/537.36 Edg/156.0.0.0'), 'Edge/Windows', 'chrome'],
  [chrome(WINDOWS, '154.0.0.0', 'Safari/537.36 OPR/130.0.0.0'), 'Opera/Windows', 'chrome'],
  [
    'Mozilla/5.0 (Linux; Android 14; SM-S918B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.165 Mobile Safari/537.36',
    'WebView/Android',
    '',
  ],
  [
    'Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.165 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/465.0.0.58.82;]',
    'Facebook/Android',
    '',
  ],
  [
    'Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36',
    'Samsung/Android',
    '',
  ],
  [
    'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0.6723.106 Mobile DuckDuckGo/5 Safari/537.36',
    'DuckDuckGo/Android',
    '',
  ],
  [
    'Mozilla/5.0 (Linux; U; Android 4.0.3; fr-fr; GT-I9100 Build/IML74K) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30',
    'WebKit/Android',
    '',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
    'Firefox/Windows',
    'firefox',
  ],
  [
    'Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:115.0) Gecko/20100101 Firefox/115.0',
    'Firefox/Windows old',
    'firefox',
  ],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/117.0', 'Firefox/Linux old', 'firefox'],
  ['Mozilla/5.0 (Android 14; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0', 'Firefox/Android', 'firefox'],
  [
    `Mozilla/5.0 (${MAC}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15`,
    'Safari/macOS',
    'safari',
  ],
  [
    `Mozilla/5.0 (${IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1`,
    'Safari/iOS',
    'safari',
  ],
  [
    `Mozilla/5.0 (${IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1`,
    'Chrome/iOS',
    '',
  ],
  [
    `Mozilla/5.0 (${IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/132.0 Mobile/15E148 Safari/605.1.15`,
    'Firefox/iOS',
    '',
  ],
  [`Mozilla/5.0 (${IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148`, 'WebKit/iOS', ''],
  [
    `Mozilla/5.0 (${IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/440.0.0.29.115;FBBV/534]`,
    'Facebook/iOS',
    '',
  ],
  [
    `Mozilla/5.0 (${IPHONE}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 300.0.0.9.94`,
    'Instagram/iOS',
    '',
  ],
  ['Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko', 'IE/Windows', ''],
  ['Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)', 'IE/Windows', ''],
  ['Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18', 'Opera Presto Version', ''],
  [
    'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/131.0.0.0 Safari/537.36',
    'bot:Googlebot',
    '',
  ],
  ['Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)', 'bot:bingbot', ''],
  [
    'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    'bot:facebookexternalhit',
    '',
  ],
  [
    chrome('Linux; Android 9; CUBOT X18', '120.0.0.0', 'Mobile Safari/537.36'),
    'Chrome/Android old',
    'chrome',
  ],
  ['curl/8.5.0', 'curl', ''],
  ['Wget/1.21.3', 'Wget', ''],
  ['python-requests/2.34.2', 'python-requests', ''],
  ['Python-urllib/3.11', 'Python-urllib', ''],
  ['Go-http-client/1.1', 'Go-http-client', ''],
  ['okhttp/4.12.0', 'okhttp', ''],
  ['node', 'node', ''],
  ['Dalvik/2.1.0 (Linux; U; Android 12; SM-G991B Build/SP1A)', 'Dalvik', ''],
  ['SomeApp/14 CFNetwork/1390 Darwin/22.0.0', 'SomeApp CFNetwork Darwin', ''],
  // What only a flood would say stays to be seen.
  ['FloodBot 3000', 'bot:FloodBot', ''],
  ['Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)', 'bot:AhrefsBot', ''],
  ['Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)', 'bot:Slackbot-LinkExpanding', ''],
  [`${'a'.repeat(400)}bot${'b'.repeat(90)}`, 'bot:{x}', ''],
  ['Mozilla/5.0 Thunder/1.0', 'Mozilla Thunder', ''],
  [chrome(WINDOWS, '120.0.0.0', 'Safari/537.36 Thunder/1.0'), 'Chrome/Windows+Thunder', ''],
  ['Mozilla/5.0', 'Mozilla', ''],
  ['kq9x7d0w1z', '{x}', ''],
  ['\x00\xff', '{x}', ''],
  ['-', '{x}', ''],
]

describe('user agents', () => {
  for (const [text, value, engine] of CASES) {
    test(`${value}: ${text.slice(0, 60)}`, () => {
      const agent = agentOf(text)
      assert.equal(agent.value, value)
      assert.equal(agent.engine, engine)
      assert.equal(agent.isImpossible, false)
    })
  }

  test('none is none', () => {
    assert.equal(agentOf(undefined).value, '')
    assert.equal(agentOf('').value, '')
  })

  test('agents that generators of random agents make up never existed', () => {
    for (const text of [
      chrome('Windows NT 11.0; Win64; x64', '120.0.0.0', 'Safari/537.36'),
      chrome('Macintosh; Intel Mac OS X 13_2_1', '118.0.0.0', 'Safari/537.36'),
      chrome(WINDOWS, '9817.0.0.0', 'Safari/537.36'),
      'Mozilla/5.0 (Windows NT 6.1) AppleWebKit/5361 (KHTML, like Gecko) Chrome/39.0.803.0 Mobile Safari/5361',
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/125.0',
      'Mozilla/5.0 (X11; Linux i686; rv:70.0) Gecko/20140203 Firefox/70.0',
    ])
      assert.ok(agentOf(text).isImpossible, text)
  })

  test('a list of a thousand plausible browsers is a few dozen values', () => {
    const values = new Set<string>()
    for (const platform of [WINDOWS, 'Windows NT 6.1', MAC, 'X11; Linux x86_64', 'Linux; Android 10; K'])
      for (let major = 60; major < 157; major++)
        for (const build of [1, 2]) {
          values.add(agentOf(chrome(platform, `${major}.0.${build}.7`, 'Safari/537.36')).value)
          values.add(
            agentOf(chrome(platform, `${major}.0.0.0`, `Safari/537.36 Edg/${major}.0.${build}.1`)).value,
          )
          values.add(
            agentOf(`Mozilla/5.0 (${platform}; rv:${major}.0) Gecko/20100101 Firefox/${major}.0`).value,
          )
        }
    assert.ok(values.size <= 40, String(values.size))
  })

  test('agents drawn letter by letter fold, whatever the letters', () => {
    const values = new Set<string>()
    fc.assert(
      fc.property(fc.stringMatching(/^[a-zA-Z0-9]{12,40}$/), (text) => {
        values.add(agentOf(text).value)
      }),
      { numRuns: 2000, seed: 5 },
    )
    assert.ok(values.size < 200, `${values.size} of 2,000`)
  })

  test('hostile texts are short values, and the same text has the same', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 600 }),
          fc
            .array(
              fc.constantFrom('Mozilla/5.0 ', '(', ')', '[', 'Chrome/1', ' Safari/', 'bot', ';', 'rv:', 'a'),
            )
            .map((parts) => parts.join('')),
        ),
        (text) => {
          const agent = agentOf(text)
          assert.ok(agent.value.length <= 120)
          assert.deepEqual(agentOf(`${text}`), agent)
        },
      ),
      { numRuns: 3000, seed: 6 },
    )
    const long = `Mozilla/5.0 ${'('.repeat(8000)}${'a'.repeat(8000)}`
    assert.ok(agentOf(long).value.length <= 120)
  })
})
