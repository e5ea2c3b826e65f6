import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { readMaster } from './key-file.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'digue-keys-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string) => path.join(folder, name)

test('a secret is made once, for its owner only, and read again', async () => {
  const at = file('below/keys')
  const first = await readMaster(at)
  assert.equal(first.fault, '')
  assert.equal(first.secret.length, 32)
  assert.equal(statSync(at).mode & 0o777, 0o600)
  assert.deepEqual(await readMaster(at), first)
})

test('of many that start at once, all have the same secret', async () => {
  const all = await Promise.all(Array.from({ length: 16 }, () => readMaster(file('race'))))
  const kept = readFileSync(file('race'), 'latin1').trim()
  // Who read between the making and the writing has one of its own, and says so.
  for (const { secret, fault } of all) if (fault === '') assert.equal(secret.toString('hex'), kept)
})

test('a file that others may read is used, and said', async () => {
  await readMaster(file('open'))
  chmodSync(file('open'), 0o644)
  const { secret, fault } = await readMaster(file('open'))
  assert.equal(secret.toString('hex'), readFileSync(file('open'), 'latin1').trim())
  assert.match(fault, /chmod 600/)
})

for (const [name, text] of [
  ['short', 'abcd'],
  ['empty', ''],
  ['no-hex', 'z'.repeat(64)],
  ['large', 'a'.repeat(10_000)],
] as const)
  test(`a file that is no secret is left as it is: ${name}`, async () => {
    writeFileSync(file(name), text)
    const { secret, fault } = await readMaster(file(name))
    assert.equal(secret.length, 32)
    assert.match(fault, /expected 64 hexadecimal digits/)
    assert.ok(!fault.includes('zzz'), 'no secret in a message')
    assert.equal(readFileSync(file(name), 'latin1'), text)
  })

test('a folder that cannot be made, or a folder in its place, does not stop anybody', async () => {
  writeFileSync(file('plain'), '')
  for (const at of [file('plain/keys'), folder]) {
    const { secret, fault } = await readMaster(at)
    assert.equal(secret.length, 32)
    assert.match(fault, /this start/)
  }
})
