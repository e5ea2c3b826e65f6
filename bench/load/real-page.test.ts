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
  assert.deepEqual(nextStep(302, '\r\nLocation: /there', '', '/here'), { path: '/there', afterMs: 0 })
  assert.equal(nextStep(302, '\r\nLocation: https://192.0.2.1/', '', '/here'), undefined)
  assert.deepEqual(nextStep(503, '\r\nRefresh: 3', '', '/here'), { path: '/here', afterMs: 3000 })
  assert.deepEqual(nextStep(503, '', '<meta http-equiv="refresh" content="2">', '/here'), {
    path: '/here',
    afterMs: 2000,
  })
  assert.equal(nextStep(503, '\r\nRetry-After: 3', '', '/here'), undefined)
})
