import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readCertificates, watchCertificates } from './certificate-files.ts'
import { selfSigned } from './self-signed.ts'
import type { SiteCertificate } from './types.ts'

async function rig() {
  const folder = await mkdtemp(join(tmpdir(), 'digue-certificates-'))
  const first = selfSigned(['a.example.org'])
  const files = {
    hosts: ['a.example.org'],
    certificate: join(folder, 'chain.pem'),
    key: join(folder, 'key.pem'),
  }
  await writeFile(files.certificate, first.certificate)
  await writeFile(files.key, first.key)
  const current = await readCertificates([files])
  const changes: (readonly SiteCertificate[])[] = []
  const events: string[] = []
  const watch = watchCertificates([files], current, {
    everyMs: 1e6,
    onChange: (certificates) => changes.push(certificates),
    onEvent: (event) => events.push(event.code),
  })
  after(async () => {
    watch.stop()
    await rm(folder, { recursive: true })
  })
  await watch.look()
  assert.deepEqual(changes, [])
  return { folder, first, files, changes, events, watch }
}

test('a renewal in two steps changes the certificate once, when both files fit', async () => {
  const { files, changes, events, watch } = await rig()
  const second = selfSigned(['a.example.org'])
  await writeFile(files.certificate, second.certificate)
  await watch.look()
  await watch.look()
  assert.deepEqual(events, ['certificate-broken'])
  assert.equal(changes.length, 0)
  await writeFile(files.key, second.key)
  await watch.look()
  assert.deepEqual(events, ['certificate-broken', 'certificate-changed'])
  assert.deepEqual(changes as unknown, [[{ ...second, hosts: ['a.example.org'] }]])
})

test('half a file, or none, leaves the old one in force', async () => {
  const { files, first, changes, events, watch } = await rig()
  await writeFile(files.certificate, first.certificate.slice(0, 200))
  await watch.look()
  await unlink(files.certificate)
  await watch.look()
  assert.deepEqual(events, ['certificate-broken', 'certificate-broken'])
  await writeFile(files.certificate, first.certificate)
  await watch.look()
  assert.deepEqual(changes, [])
})

test('a link that is turned to another file is noticed', async () => {
  const { folder, files, changes, watch } = await rig()
  const second = selfSigned(['a.example.org'])
  for (const [name, text] of [
    ['chain', second.certificate],
    ['key', second.key],
  ] as const) {
    await writeFile(join(folder, `${name}2.pem`), text)
    await symlink(join(folder, `${name}2.pem`), join(folder, 'link'))
    await rename(join(folder, 'link'), name === 'chain' ? files.certificate : files.key)
  }
  await watch.look()
  assert.equal(changes.length, 1)
})

test('a key that is not its certificate’s is refused by name', async () => {
  const { files } = await rig()
  await writeFile(files.key, selfSigned(['b.example.org']).key)
  await assert.rejects(readCertificates([files]), {
    code: 'DIGUE_CERTIFICATE',
    message: 'key of a.example.org: expected the private key of its certificate, got another',
  })
  await assert.rejects(readCertificates([{ ...files, key: '/nonexistent/key.pem' }]), {
    code: 'DIGUE_CERTIFICATE',
  })
})
