import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { NftSession } from './nft-session.ts'

const FAKE = [process.execPath, join(import.meta.dirname, 'nft-process.fixture.ts')]

function session(options: { program?: readonly string[]; deadlineMs?: number } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'digue-'))
  let end: (reason: string) => void
  const ended = new Promise<string>((resolve) => (end = resolve))
  const nft = new NftSession({ folder, program: FAKE, ...options }, (reason) => end(reason))
  after(() => {
    nft.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return { nft, ended }
}

test('each answer belongs to its commands: complaints, output, or nothing', async () => {
  const { nft } = session()
  const answers = await Promise.all(
    ['add table', 'refuse this', 'speak up', 'add set', 'refuse that'].map((commands) =>
      nft.run(`${commands}\n`),
    ),
  )
  assert.deepEqual(answers, [
    { fault: '', output: '' },
    { fault: 'No such file or directory', output: '' },
    { fault: '', output: 'speak up\n' },
    { fault: '', output: '' },
    { fault: 'No such file or directory', output: '' },
  ])
})

test('a complaint without an end takes no more memory than it may, and is a fault', async () => {
  const { nft } = session()
  const { fault } = await nft.run('flood\n')
  assert.ok(fault.length > 0 && fault.length <= 300)
  assert.deepEqual(await nft.run('add\n'), { fault: '', output: '' })
})

test('nft that is not there is told, and so is every command after', async () => {
  const { nft, ended } = session({ program: ['/nonexistent/nft'] })
  const answer = nft.run('add\n')
  assert.match(await ended, /ENOENT/)
  assert.notEqual((await answer).fault, '')
  assert.match((await nft.run('add\n')).fault, /ENOENT/)
})

test('nft that is killed while it works is told once', async () => {
  const { nft, ended } = session()
  const answers = [nft.run('die\n'), nft.run('add\n')]
  assert.match(await ended, /SIGKILL/)
  for (const { fault } of await Promise.all(answers)) assert.notEqual(fault, '')
})

test('nft that does not answer is killed', async () => {
  const { nft, ended } = session({ deadlineMs: 200 })
  assert.notEqual((await nft.run('hang\n')).fault, '')
  assert.match(await ended, /did not answer/)
})
