import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { Metrics } from './metrics.ts'

const read = (name: string) => readFileSync(new URL(`../../docs/grafana/${name}`, import.meta.url), 'utf8')

/** Names of all series of the metrics port, and the labels that each may have. */
async function known(): Promise<Set<string>> {
  const text = await new Metrics('1').text()
  const names = new Set<string>()
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    if (type !== 'histogram') names.add(name!)
    else for (const end of ['_bucket', '_count']) names.add(name! + end)
  }
  return names
}

const namesIn = (expression: string) => [...expression.matchAll(/\b(digue_\w+)/g)].map((match) => match[1]!)

interface Panel {
  readonly title: string
  readonly type: string
  /** A row has none: it is a heading. */
  readonly targets?: readonly { readonly expr: string }[]
}

test('the board shows only metrics that exist', async () => {
  const names = await known()
  const board = JSON.parse(read('digue.json')) as { panels: readonly Panel[] }
  assert.ok(board.panels.length >= 12)
  for (const { title, type, targets } of board.panels) {
    assert.equal(targets === undefined, type === 'row', title)
    for (const { expr } of targets ?? []) {
      const used = namesIn(expr)
      assert.ok(used.length > 0, title)
      for (const name of used) assert.ok(names.has(name), `${title}: ${name}`)
    }
  }
})

test('the board shows what every defence does', async () => {
  const { panels } = JSON.parse(read('digue.json')) as { panels: readonly Panel[] }
  const shown = panels.flatMap(({ targets }) => (targets ?? []).flatMap(({ expr }) => namesIn(expr)))
  for (const part of ['signature', 'rule', 'list', 'kernel', 'cache'])
    assert.ok(
      shown.some((name) => name.startsWith(`digue_${part}`)),
      part,
    )
})

test('the alert rules watch only metrics that exist, and say what to do', async () => {
  const names = await known()
  const { groups } = parse(read('alerts.yaml')) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[]
  }
  const rules = groups.flatMap((group) => group.rules)
  assert.ok(rules.length >= 8)
  for (const { alert, expr, annotations } of rules) {
    assert.ok(annotations.summary.length > 0, alert)
    for (const name of namesIn(expr)) assert.ok(names.has(name), `${alert}: ${name}`)
    assert.ok(namesIn(expr).length > 0 || /^up\{/.test(expr), alert)
  }
})

test('no metric has a label that a client can fill', async () => {
  const text = await new Metrics('1').text()
  assert.doesNotMatch(text, /\b(client|address|path|target|ip|asn|ray)="/)
  for (const [, name] of text.matchAll(/^# TYPE (\S+)/gm)) assert.match(name!, /^digue_/)
})
