import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextStep, realPage } from './real-page.ts'

const page = (path: string, cost: number) =>
  `<!doctype html>…\n<!-- digue-bench path=${path} cost=${cost} end -->\n`

test('only the real page for what was asked counts', () => {
  assert.equal(realPage(200, page('/article/3', 12.5), '/article/3'), 12.5)
  assert.equal(realPage(200, page('/article/4', 12.5), '/article/3'), undefined)
  assert.equal(realPage(503, page('/article/3', 12.5), '/article/3'), undefined)
  assert.equal(realPage(200, '<h1>Please wait</h1>', '/article/3'), undefined)
  assert.equal(realPage(200, page('/article/3', 12.5).slice(0, -10), '/article/3'), undefined)
})

test('browsers follow redirects on the site and a page that refreshes itself, and nothing else', () => {
  const redirect = { path: '/there', afterMs: 0, isRedirect: true }
  assert.deepEqual(nextStep(302, '\r\nLocation: /there', '', '/here'), redirect)
  assert.equal(nextStep(302, '\r\nLocation: https://192.0.2.1/', '', '/here'), undefined)
  assert.equal(nextStep(302, '\r\nLocation: //192.0.2.1/', '', '/here'), undefined)
  const wait = (path: string, seconds: number) => ({ path, afterMs: seconds * 1000, isRedirect: false })
  assert.deepEqual(nextStep(503, '\r\nRefresh: 3', '', '/here'), wait('/here', 3))
  assert.deepEqual(
    nextStep(503, '\r\nRefresh: 1;url=/here?digue=1.a.b\r\nDate: x', '', '/here'),
    wait('/here?digue=1.a.b', 1),
  )
  assert.deepEqual(nextStep(503, "\r\nRefresh: 2; URL='/a?b=c;d'", '', '/here'), wait('/a?b=c;d', 2))
  assert.deepEqual(nextStep(503, '\r\nRefresh: 2; url=https://192.0.2.1/', '', '/here'), wait('/here', 2))
  assert.deepEqual(nextStep(503, '', '<meta http-equiv="refresh" content="2">', '/here'), wait('/here', 2))
  assert.equal(nextStep(503, '\r\nRetry-After: 3', '', '/here'), undefined)
})
