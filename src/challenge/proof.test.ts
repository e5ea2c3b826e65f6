import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { readProof } from './proof.ts'
import { MOST_PARTS } from './protocol.ts'

const seed = Buffer.alloc(16, 3)
const challenge = `1.hqsw0.MTkyLjAuMi4wLzI0.${'A'.repeat(22)}`
const query = (nonces: Uint8Array, first = challenge) =>
  `challenge=${first}&seed=${seed.toString('base64url')}&nonces=${Buffer.from(nonces).toString('base64url')}`

test('a proof of 1 to 256 parts is read, its parameters in any order and among others', () => {
  for (let parts = 1; parts <= MOST_PARTS; parts++) {
    const nonces = randomBytes(parts * 4)
    assert.deepEqual(readProof(query(nonces)), { challenge, seed, nonces })
  }
  const nonces = randomBytes(64)
  const [a, b, c] = query(nonces).split('&')
  for (const text of [`${c}&${b}&${a}`, `${b}&x=1&${a}&&y&${c}`, `&${a}&${b}&${c}&`])
    assert.deepEqual(readProof(text), { challenge, seed, nonces })
})

test('no parts, half a part, too many parts, a seed of another length: no proof', () => {
  for (const bytes of [0, 1, 2, 3, 5, 63, MOST_PARTS * 4 + 1, MOST_PARTS * 4 + 4])
    assert.equal(readProof(query(Buffer.alloc(bytes))), undefined, String(bytes))
  const good = query(Buffer.alloc(64))
  for (const length of [0, 1, 15, 17, 1000])
    assert.equal(
      readProof(good.replace(seed.toString('base64url'), Buffer.alloc(length).toString('base64url'))),
      undefined,
    )
})

test('a parameter that is missing or comes twice makes it none', () => {
  const good = query(Buffer.alloc(64))
  for (const part of good.split('&')) {
    assert.equal(readProof(good.replace(part, '')), undefined)
    assert.equal(readProof(`${good}&${part}`), undefined)
  }
})

test('nothing is decoded: other spellings of the same bytes are no proof', () => {
  const good = query(Buffer.alloc(64))
  for (const text of [
    '',
    '&',
    '=',
    good.replace('seed=A', 'seed=%41'),
    good.replace('nonces=A', 'nonces=%41'),
    `${good}=`,
    `${good}%3D`,
    good.replace('nonces=AA', 'nonces=+/'),
    `${good.slice(0, -1)}B`,
    `${good}&x=${'x'.repeat(2048)}`,
    good.replace('seed=', 'SEED='),
    `${good}\u00e9`,
    'challenge='.repeat(6554),
    '&'.repeat(65_536),
  ])
    assert.equal(readProof(text), undefined, text.slice(0, 200))
})

test('whatever the query is, the reader returns', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.constantFrom('challenge=', 'seed=', 'nonces=', '&', 'AAAA', '%'))),
      (parts) => {
        const proof = readProof(parts.join(''))
        if (proof !== undefined) assert.ok(proof.seed.length === 16 && proof.nonces.length % 4 === 0)
      },
    ),
  )
})
