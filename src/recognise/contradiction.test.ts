import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { agentOf } from './agent.ts'
import { type Circumstances, CONTRADICTIONS, contradictionOf } from './contradiction.ts'
import { FieldScan } from './field-scan.ts'

const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)'
const CHROME = `${WINDOWS} AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36`
const ANDROID =
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36'
const WEBVIEW =
  'Mozilla/5.0 (Linux; Android 12; SM-A125F; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/110.0.5481.65 Mobile Safari/537.36'
const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0'
const SAFARI =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15'
const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

type Fields = Readonly<Record<string, string>>
const NAVIGATION: Fields = {
  'upgrade-insecure-requests': '1',
  accept: HTML,
  'accept-language': 'fr',
  'accept-encoding': 'gzip, deflate, br',
}
const SCRIPT: Fields = { 'accept-language': 'fr', 'accept-encoding': 'gzip, deflate, br' }
const HINTS: Fields = {
  'sec-ch-ua': '"Chromium";v="156", "Not/A)Brand";v="24", "Google Chrome";v="156"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Windows"',
}
const METADATA: Fields = {
  'sec-fetch-site': 'none',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
}
const CHROME_TLS = 't13d1516h2_8daaf6152771_d8a2da3f94cd'
const AT_HOME: Circumstances = {
  method: 'GET',
  secure: true,
  httpVersion: '2',
  isDirect: true,
  ja4: CHROME_TLS,
  h2: '1:65536;2:0;4:6291456;6:262144|15663105|m,a,s,p',
}
const OVER_HTTP: Partial<Circumstances> = { secure: false, httpVersion: '1.1', ja4: '', h2: '' }
const FIREFOX_H2 = '1:65536;4:131072|12517377|m,p,a,s'

function contradicts(agent: string, fields: Fields, at: Partial<Circumstances> = {}): string {
  const scan = new FieldScan()
  scan.read(['User-Agent', agent, ...Object.entries(fields).flat()])
  return contradictionOf(agentOf(agent), scan, { ...AT_HOME, ...at })
}

describe('true browsers contradict themselves nowhere', () => {
  const cases: Readonly<
    Record<string, readonly [agent: string, fields: Fields, at?: Partial<Circumstances>]>
  > = {
    'Chrome opens a page': [CHROME, { ...NAVIGATION, ...HINTS, ...METADATA }],
    'Chrome opens a page over http: neither hints nor metadata': [CHROME, NAVIGATION, OVER_HTTP],
    'Chrome opens a page of a site that forbids hints in frames': [
      CHROME,
      { ...NAVIGATION, ...METADATA, 'sec-fetch-dest': 'iframe' },
    ],
    'Chrome fetches on a page whose policy takes hints away': [
      CHROME,
      { accept: '*/*', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin', 'accept-language': 'fr' },
    ],
    'Chrome opens a WebSocket: neither hints nor metadata, http/1.1 only': [
      CHROME,
      { upgrade: 'websocket', 'accept-language': 'fr', 'accept-encoding': 'gzip' },
      { httpVersion: '1.1', ja4: 't13d1516h1_8daaf6152771_d8a2da3f94cd', h2: '' },
    ],
    'Chrome asks before it posts elsewhere': [CHROME, { accept: '*/*', ...METADATA }, { method: 'OPTIONS' }],
    'Chrome behind an HTTP/1.0 proxy that says so': [
      CHROME,
      { ...NAVIGATION, via: '1.0 proxy' },
      { ...OVER_HTTP, httpVersion: '1.0' },
    ],
    'Chrome behind a proxy of ours, which speaks HTTP/1.0 and its own TLS': [
      CHROME,
      { ...NAVIGATION, ...HINTS, ...METADATA },
      { httpVersion: '1.0', isDirect: false, ja4: 't12i210700_76e208dd3e22_16bbda4055b2', h2: '' },
    ],
    'Chrome with another User-Agent by choice, hints blank': [
      CHROME,
      { ...NAVIGATION, ...METADATA, 'sec-ch-ua': '', 'sec-ch-ua-platform': '' },
    ],
    'Chrome on Android asking for the desktop page': [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
      { ...NAVIGATION, ...HINTS, ...METADATA, 'sec-ch-ua-platform': '"Android"' },
    ],
    'Edge names its engine in its hints': [
      `${CHROME} Edg/156.0.0.0`,
      {
        ...NAVIGATION,
        ...HINTS,
        ...METADATA,
        'sec-ch-ua': '"Microsoft Edge";v="156", "Chromium";v="156", "Not A Brand";v="99"',
      },
    ],
    'a small browser on Android that renames its WebView: metadata, no hints': [
      ANDROID,
      { ...NAVIGATION, ...METADATA },
    ],
    'an old WebView without hints and metadata': [WEBVIEW, NAVIGATION],
    'Chrome 49, before all that': [
      'Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/49.0.2623.112 Safari/537.36',
      { ...NAVIGATION },
      { httpVersion: '1.1', ja4: 't12d1310h2_000000000000_000000000000', h2: '' },
    ],
    'Firefox opens a page': [FIREFOX, { ...NAVIGATION, ...METADATA }, { h2: FIREFOX_H2 }],
    'Firefox over http': [FIREFOX, NAVIGATION, OVER_HTTP],
    'Safari over https does not ask for secure pages': [
      SAFARI,
      { accept: HTML, 'accept-language': 'fr', 'accept-encoding': 'gzip' },
    ],
    'a script loads part of a page': [
      CHROME,
      { ...SCRIPT, accept: HTML, ...HINTS, 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' },
    ],
    'a script loads part of a page, over http': [
      CHROME,
      { ...SCRIPT, accept: 'text/html, */*; q=0.01' },
      OVER_HTTP,
    ],
    'Firefox plays a video': [
      FIREFOX,
      { accept: 'video/*', range: 'bytes=0-', 'accept-encoding': 'identity', 'sec-fetch-mode': 'no-cors' },
      { h2: FIREFOX_H2 },
    ],
    'Safari opens a page without metadata': [
      SAFARI,
      NAVIGATION,
      { h2: '2:0;3:100;4:2097152|10420225|m,s,p,a' },
    ],
    'Safari with the other order of pseudo fields': [
      SAFARI,
      { ...NAVIGATION, ...METADATA },
      { h2: '2:0;3:100;4:2097152|10420225|m,s,a,p' },
    ],
    'curl claims nothing': ['curl/8.5.0', { accept: '*/*' }, { ja4: 't13d3113h1_x_y', h2: '|0|m,p,s,a' }],
    'a robot of a search engine': [
      'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; +http://www.google.com/bot.html) Chrome/131.0.0.0 Safari/537.36',
      { accept: HTML },
    ],
  }
  for (const [what, [agent, fields, at]] of Object.entries(cases))
    test(what, () => assert.equal(contradicts(agent, fields, at), ''))
})

describe('what floods forget', () => {
  const page = { ...NAVIGATION, ...HINTS, ...METADATA }
  const { 'accept-language': _language, ...noLanguage } = page
  const { 'accept-encoding': _encoding, ...noEncoding } = page
  const { accept: _accept, ...noAccept } = page
  const { 'upgrade-insecure-requests': _upgrade, ...noUpgrade } = page
  const cases: Readonly<
    Record<keyof typeof CONTRADICTIONS, readonly [agent: string, fields: Fields, at?: Partial<Circumstances>]>
  > = {
    'impossible-agent': [CHROME.replace('NT 10.0', 'NT 11.0'), page],
    'repeated-field': [CHROME, { ...page, 'User-agent': 'x' }],
    'impossible-fetch-metadata': [CHROME, { ...page, 'sec-fetch-site': 'same' }],
    'firefox-with-hints': [FIREFOX, page],
    'safari-with-hints': [SAFARI, page],
    'chrome-with-other-hints': [
      CHROME,
      { ...page, 'sec-ch-ua': '"Chromium";v="120", "Google Chrome";v="120"' },
    ],
    'browser-over-http-1.0': [CHROME, NAVIGATION, { ...OVER_HTTP, httpVersion: '1.0' }],
    'chrome-without-hints': [CHROME, NAVIGATION],
    'chrome-without-fetch-metadata': [ANDROID, NAVIGATION],
    'firefox-without-fetch-metadata': [FIREFOX, NAVIGATION],
    'browser-without-accept': [CHROME, noAccept],
    'browser-without-language': [CHROME, noLanguage],
    'browser-without-encoding': [CHROME, noEncoding],
    'browser-without-upgrade-insecure': [CHROME, noUpgrade],
    'browser-over-other-tls': [
      CHROME,
      page,
      { ja4: 't13d3112h1_e8f1e7e78f70_6bebaf5329ac', httpVersion: '1.1', h2: '' },
    ],
    'browser-over-other-h2': [CHROME, page, { h2: '3:100;4:65536|0|m,p,s,a' }],
  }
  for (const [code, [agent, fields, at]] of Object.entries(cases))
    test(`${code}: clients that ${CONTRADICTIONS[code as keyof typeof CONTRADICTIONS]}`, () =>
      assert.equal(contradicts(agent, fields, at), code))

  test('hints of another system', () => {
    assert.equal(contradicts(CHROME, { ...page, 'sec-ch-ua-platform': '"Linux"' }), 'chrome-with-other-hints')
  })

  test('a browser over HTTP/1.1 with the TLS of version 1.2', () => {
    assert.equal(
      contradicts(FIREFOX, { ...NAVIGATION, ...METADATA }, { ja4: 't12d1909h2_x_y', h2: '' }),
      'browser-over-other-tls',
    )
  })
})
