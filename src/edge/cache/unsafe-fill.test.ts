import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CacheRules, Stored } from '#cache'
import type { FieldLines, RequestHead } from '#http'
import type { SiteRuntime } from '../house.ts'
import { Filling } from './filling.ts'
import { UnsafeFill } from './unsafe-fill.ts'

const KEY = 'http://example.org/list'
const RULES: CacheRules = { heuristicMs: 0, staleMs: 0, objectBytes: 100, isEmergencyPath: () => false }
/** It says that it is what a GET would give. */
const PAGE: FieldLines = ['cache-control', 'max-age=60', 'content-location', '/list']

function scene(method = 'POST') {
  const forgotten: string[] = []
  const kept: string[] = []
  const head: RequestHead = {
    method,
    target: '/list',
    version: '1.1',
    host: 'example.org',
    fields: ['host', 'example.org'],
  }
  const plan = {
    key: KEY,
    site: {} as SiteRuntime,
    request: head,
    rules: RULES,
    forwarded: 'method',
    leads: false,
  }
  const page = new Filling(plan, {
    nowMs: () => Date.UTC(2026, 10, 24),
    count: () => {},
    reserve: () => true,
    release: () => {},
    keep: (response) => {
      kept.push(response.key)
      return new Stored(response, RULES)
    },
    forget: () => {},
    saw: () => {},
    copying: () => {},
    landed: () => {},
  })
  const fill = new UnsafeFill(head, false, (key) => forgotten.push(key), method === 'POST' ? page : undefined)
  return { fill, forgotten, kept }
}

test('what succeeds makes its target invalid, what fails does not', () => {
  for (const [status, expected] of [
    [204, [KEY]],
    [303, [KEY]],
    [403, []],
    [500, []],
  ] as const) {
    const { fill, forgotten } = scene('DELETE')
    fill.answered(status, () => [])
    fill.completed()
    fill.abandoned()
    assert.deepEqual(forgotten, expected, String(status))
  }
})

test('a page that a POST brings takes the place of the one before it', () => {
  const { fill, forgotten, kept } = scene()
  assert.equal(
    fill.answered(200, () => PAGE),
    'copy',
  )
  fill.data(Buffer.from('new'))
  fill.completed()
  fill.abandoned()
  assert.deepEqual([kept, forgotten], [[KEY], []])
})

test('one that does not come to its end, or is too large, makes the one before it invalid all the same', () => {
  const cut = scene()
  cut.fill.answered(200, () => PAGE)
  cut.fill.data(Buffer.from('ne'))
  cut.fill.abandoned()
  assert.deepEqual(cut.forgotten, [KEY])
  const large = scene()
  large.fill.answered(200, () => PAGE)
  large.fill.data(Buffer.alloc(101))
  large.fill.completed()
  large.fill.abandoned()
  assert.deepEqual([large.kept, large.forgotten], [[], [KEY]])
})
