import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Kind, kindOf } from './kind.ts'

const BROWSER_ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const CASES: [string, string, string[], Kind][] = [
  [
    'a browser opening a page',
    'GET',
    ['Sec-Fetch-Mode', 'navigate', 'Sec-Fetch-Dest', 'document', 'Accept', BROWSER_ACCEPT],
    'navigation',
  ],
  ['a browser without Sec-Fetch', 'GET', ['accept', BROWSER_ACCEPT], 'navigation'],
  ['a text browser', 'GET', ['Accept', 'text/html, text/plain'], 'navigation'],
  ['a form sent', 'POST', ['Sec-Fetch-Mode', 'navigate'], 'form'],
  ['a form sent by an old browser', 'POST', ['Accept', BROWSER_ACCEPT], 'form'],
  ['an image', 'GET', ['Sec-Fetch-Mode', 'no-cors', 'Sec-Fetch-Dest', 'image'], 'asset'],
  ['a font', 'GET', ['sec-fetch-mode', 'cors', 'sec-fetch-dest', 'font'], 'asset'],
  ['a script asking', 'GET', ['Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Dest', 'empty', 'Accept', '*/*'], 'fetch'],
  [
    'a script that also takes HTML',
    'GET',
    ['Sec-Fetch-Mode', 'cors', 'Sec-Fetch-Dest', 'empty', 'Accept', BROWSER_ACCEPT],
    'fetch',
  ],
  ['curl', 'GET', ['Accept', '*/*'], 'fetch'],
  ['an API client', 'POST', ['Accept', 'application/json'], 'fetch'],
  [
    'a WebSocket',
    'GET',
    ['Connection', 'Upgrade', 'UPGRADE', 'websocket', 'Accept', BROWSER_ACCEPT],
    'upgrade',
  ],
  ['an image for an old browser', 'GET', ['Accept', 'image/webp,*/*'], 'asset'],
  ['nothing said', 'GET', [], 'fetch'],
]

for (const [name, method, fields, kind] of CASES) {
  test(`${name} is a ${kind}`, () => assert.equal(kindOf(method, fields), kind))
}
