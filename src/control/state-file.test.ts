import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { StateFile } from './state-file.ts'

const folder = await mkdtemp(path.join(tmpdir(), 'digue-state-'))
after(() => rm(folder, { recursive: true, force: true }))
let n = 0
const fresh = (): StateFile => new StateFile(path.join(folder, `s${n++}`, 'state.json'))

test('what is written is read back, and the first start finds nothing and no fault', async () => {
  const file = fresh()
  assert.equal(await file.read(), undefined)
  assert.equal(file.fault, '')
  const state = { b: 1, a: [1.5, 'é', null], 2: 'x' }
  assert.ok(await file.write(state))
  assert.deepEqual(await new StateFile(file.path).read(), state)
})

for (const [name, damage] of [
  ['cut off', (text: string) => text.slice(0, -20)],
  ['changed', (text: string) => text.replace('"kept":1', '"kept":2')],
  ['of another program', () => '{"format":"other"}'],
  ['of a later version', (text: string) => text.replace('"version":1', '"version":2')],
  ['empty', () => ''],
] as const)
  test(`a file that is ${name} stops recording, is left as it is, and throws nothing`, async () => {
    const file = fresh()
    await file.write({ kept: 1 })
    const damaged = damage(await readFile(file.path, 'utf8'))
    await writeFile(file.path, damaged)
    const next = new StateFile(file.path)
    assert.equal(await next.read(), undefined)
    assert.match(next.fault, /Nothing is recorded/)
    assert.equal(await next.write({ kept: 3 }), false)
    assert.equal(await readFile(file.path, 'utf8'), damaged)
  })

test('a directory that cannot be written to is a fault, not an exception, and is tried again', async () => {
  const blocker = path.join(folder, 'blocker')
  await writeFile(blocker, '')
  const file = new StateFile(path.join(blocker, 'state.json'))
  assert.equal(await file.write({}), false)
  assert.equal(file.failures, 1)
  await rm(blocker)
  assert.ok(await file.write({}))
  assert.equal(file.fault, '')
})

test('two writes at once leave a whole file', async () => {
  const file = fresh()
  const results = await Promise.all([file.write({ a: 1 }), file.write({ a: 2 }), file.write({ a: 3 })])
  assert.deepEqual(results, [true, true, true])
  assert.ok(await new StateFile(file.path).read())
})
