import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { configSchema } from '#config'
import { readCertificates, renewCertificates } from './certificates.ts'
import { selfSigned } from './listen/self-signed.ts'

test('one broken renewal does not hold back the others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'digue-certificates-'))
  try {
    const put = async (name: string) => {
      const { certificate, key } = selfSigned([`${name}.example.org`])
      await writeFile(join(folder, `${name}.pem`), certificate)
      await writeFile(join(folder, `${name}.key`), key)
    }
    await put('a')
    await put('b')
    const config = configSchema.parse({
      listen: [{ port: 443, tls: true }],
      sites: ['a', 'b'].map((name) => ({
        hosts: [`${name}.example.org`],
        origins: ['http://127.0.0.1:9'],
        certificate: join(folder, `${name}.pem`),
        key: join(folder, `${name}.key`),
      })),
    })
    const before = await readCertificates(config)
    assert.deepEqual(await renewCertificates(config, before), {
      certificates: before,
      faults: [],
      changed: false,
    })

    await put('b')
    await writeFile(join(folder, 'a.pem'), 'half')
    const after = await renewCertificates(config, before)
    assert.equal(after.changed, true)
    assert.equal(after.certificates[0], before[0])
    assert.notEqual(after.certificates[1]!.certificate, before[1]!.certificate)
    assert.match(after.faults.join(), /^sites\[0\]\.certificate: [^,]*a\.pem/)
    await assert.rejects(readCertificates(config), { code: 'DIGUE_CERTIFICATE' })
  } finally {
    await rm(folder, { recursive: true })
  }
})
