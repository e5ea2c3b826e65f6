/** docs/challenge-protocol.md says what Digue does: its test vectors, and the program in it. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { issueChallenge, readChallenge } from './challenge.ts'
import { KeyRing } from './keys.ts'
import { readProof } from './proof.ts'
import { CHALLENGE_PATH, PROOF_PATH } from './protocol.ts'
import { checkParts, PART_BITS, partInput, solve } from './puzzle.ts'

const document = readFileSync(path.join(import.meta.dirname, '../../docs/challenge-protocol.md'), 'utf8')
const blocks = [...document.matchAll(/```(\w*)\n(.*?)```/gs)].map((match) => ({
  kind: match[1],
  text: match[2]!,
}))

const keys = new KeyRing(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))
const site = 'www.example.org'
const now = 1_800_000_000

test('the test vectors are what Digue makes and believes', () => {
  const challenge = issueChallenge(keys, site, '192.0.2.0/24', now)
  const believed = readChallenge(keys, site, challenge, now)
  assert.ok(typeof believed === 'object')
  const { mac } = believed
  const seed = Buffer.from(Array.from({ length: 16 }, (_, i) => 0xf0 + i))
  const nonces = Buffer.from(solve({ mac, seed, until: 4, bits: PART_BITS }))
  assert.equal(checkParts(mac, seed, nonces, PART_BITS), 4)
  const lines = [
    `challenge  ${challenge}`,
    `MAC        ${mac.toString('hex')}`,
    `seed       ${seed.toString('hex')}`,
  ]
  for (let i = 0; i < 4; i++) {
    const nonce = nonces.readUInt32BE(i * 4)
    const input = partInput(mac, seed, i, nonce)
    lines.push(
      `part ${i}     nonce ${nonces.toString('hex', i * 4, i * 4 + 4)}, hash ${hash('blake2s256', input)}`,
    )
  }
  const query = `challenge=${challenge}&seed=${seed.toString('base64url')}&nonces=${nonces.toString('base64url')}`
  lines.push(`query      ${query}`)
  assert.deepEqual(readProof(query), { challenge, seed, nonces })
  assert.equal(blocks.at(-1)!.text.trim(), lines.join('\n'))
})

test('the program in it pays, though the price rises and the server is busy', async (context) => {
  const program = blocks.find(({ kind }) => kind === 'js')!.text
  const { pay } = (await import(`data:text/javascript,${encodeURIComponent(program)}`)) as {
    pay(site: string): Promise<string | undefined>
  }
  const bits = 4
  const asked: string[] = []
  let proofs = 0
  context.mock.method(globalThis, 'fetch', async (url: string) => {
    const { pathname, search } = new URL(url)
    asked.push(pathname)
    if (pathname === CHALLENGE_PATH)
      return Response.json({ challenge: issueChallenge(keys, site, '192.0.2.0/24', now), bits, price: 16 })
    const proof = readProof(search.slice(1))
    assert.ok(proof !== undefined)
    const believed = readChallenge(keys, site, proof.challenge, now)
    assert.ok(typeof believed === 'object')
    assert.equal(checkParts(believed.mac, proof.seed, proof.nonces, bits), proof.nonces.length / 4)
    switch (proofs++) {
      case 0:
        return Response.json({ status: 'price', price: 24 }, { status: 202 })
      case 1:
        return Response.json({ status: 'busy', retryAfterS: 0.01 }, { status: 503 })
      case 2:
        return Response.json({ status: 'fault', fault: 'expired' }, { status: 403 })
      default:
        return Response.json({ status: 'paid', effort: proof.nonces.length / 4, cookie: 'the clearance' })
    }
  })
  assert.equal(await pay('https://www.example.org'), 'the clearance')
  assert.deepEqual(asked, [CHALLENGE_PATH, PROOF_PATH, PROOF_PATH, PROOF_PATH, CHALLENGE_PATH, PROOF_PATH])
})
