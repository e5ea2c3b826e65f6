/** Runs in a browser's worker: hashes of well-kept libraries, called as their manuals say. */
import { blake2s } from '@noble/hashes/blake2.js'
import { blake3 } from '@noble/hashes/blake3.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { argon2id, createBLAKE2s, createBLAKE3, createSHA256, type IHasher } from 'hash-wasm'

type Run = (input: Uint8Array, nonces: DataView, count: number) => void | Promise<void>

const each = (hash: (input: Uint8Array) => unknown): Run => {
  return (input, nonces, count) => {
    for (let i = 0; i < count; i++) {
      nonces.setUint32(0, i)
      hash(input)
    }
  }
}

const eachOf = (hasher: Promise<IHasher>): Run => {
  return async (input, nonces, count) => {
    const h = await hasher
    for (let i = 0; i < count; i++) {
      nonces.setUint32(0, i)
      h.init().update(input).digest('binary')
    }
  }
}

const salt = new Uint8Array(16)

const RUNS: Readonly<Record<string, Run>> = {
  'noble blake2s': each(blake2s),
  'noble blake3': each(blake3),
  'noble sha256': each(sha256),
  'noble scrypt 16': each((input) => scrypt(input, salt, { N: 16, r: 1, p: 1, dkLen: 32 })),
  'noble scrypt 64': each((input) => scrypt(input, salt, { N: 64, r: 1, p: 1, dkLen: 32 })),
  'hash-wasm blake2s': eachOf(createBLAKE2s(256)),
  'hash-wasm blake3': eachOf(createBLAKE3(256)),
  'hash-wasm sha256': eachOf(createSHA256()),
  'hash-wasm argon2id 8': async (input, nonces, count) => {
    for (let i = 0; i < count; i++) {
      nonces.setUint32(0, i)
      await argon2id({
        password: input,
        salt,
        parallelism: 1,
        iterations: 1,
        memorySize: 8,
        hashLength: 32,
        outputType: 'binary',
      })
    }
  },
}

interface Ask {
  readonly name: string
  readonly count: number
}

const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: Ask }) => void
  postMessage(message: number): void
}
scope.onmessage = async ({ data: { name, count } }) => {
  const input = new Uint8Array(40)
  await RUNS[name]!(input, new DataView(input.buffer, 36), count)
  scope.postMessage(count)
}
