/**
 * One secret of 32 bytes, and every key made from it.
 *
 *   key(purpose, period) = HKDF-SHA256(master, info = "digue 1 <purpose> <period>")      RFC 5869
 *   period               = days since the epoch / 30
 *
 * Machines that share the master agree on all tokens without talking to each other, and so does one
 * machine with itself after a restart. A key signs for 30 days: whatever of it leaks is good for
 * nothing afterwards, and tokens may be older than the change of keys, because their date says which
 * key to take (tokens.ts).
 *
 * The MAC is SHA3-256 over key and text, cut to 16 bytes. A sponge has no length extension, so the key
 * may simply come first (which is what KMAC does, NIST SP 800-185); with SHA-256 it takes HMAC's second
 * hash. Measured on Node 26, one text of 60 bytes, in microseconds:
 *
 *   createHmac('sha256', KeyObject)                            2.6 … 3.6
 *   createHash of the keyed state, copied                      2.8
 *   HMAC from two one-shot hashes of buffers                   3.0
 *   two one-shot SHA-256 of strings                            0.7
 *   one-shot SHA3-256 of a string, result as base64url         0.55       ← this
 *
 * What costs is objects and buffers, not hashing: hence the key as text and the MAC as text.
 *
 * `seal` is AES-256-GCM with a random 96-bit IV. One key may seal 2^32 messages (NIST SP 800-38D); that
 * is 1,600 forms a second for 30 days.
 */
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto'
import { assert, BoundedMap } from '#kit'
import { CLOCK_SKEW_S } from './protocol.ts'
import { cutBase64url, MAC_BYTES } from './tokens.ts'

/** What a key is for; a MAC made for one purpose says nothing for another. */
export const PURPOSES = ['challenge', 'clearance', 'clearance-id', 'known', 'ticket', 'form'] as const
export type Purpose = (typeof PURPOSES)[number]

export const MASTER_BYTES = 32
export const PERIOD_S = 30 * 86_400

/** Periods of which keys are kept, per purpose: the oldest token may be 60 days old. */
const PERIODS_KEPT = 8
const IV_BYTES = 12
const TAG_BYTES = 16
const SEAL_OVERHEAD = 1 + IV_BYTES + TAG_BYTES
/** More than any form with its fields; what is longer is not even tried. */
const MOST_SEALED = 128 * 1024

/** A new master secret. */
export function newMaster(): Buffer {
  return randomBytes(MASTER_BYTES)
}

export class KeyRing {
  readonly #master: Buffer
  readonly #macKeys = new Map<Purpose, BoundedMap<number, string>>()
  readonly #sealKeys = new BoundedMap<number, Buffer>(PERIODS_KEPT)

  constructor(master: Uint8Array) {
    assert(master.length === MASTER_BYTES, `master: expected ${MASTER_BYTES} bytes, got ${master.length}`)
    this.#master = Buffer.from(master)
    for (const purpose of PURPOSES) this.#macKeys.set(purpose, new BoundedMap(PERIODS_KEPT))
  }

  /** Number of the 30 days that `nowS` is in. */
  period(nowS: number): number {
    return Math.floor(nowS / PERIOD_S)
  }

  /** 16 bytes. */
  mac(purpose: Purpose, text: string, period: number): Buffer {
    return Buffer.from(this.macText(purpose, text, period), 'base64url')
  }

  /** The same 16 bytes as 22 characters of base64url: a third of the cost. */
  macText(purpose: Purpose, text: string, period: number): string {
    return cutBase64url(hash('sha3-256', this.#macKey(purpose, period) + text, 'base64url'), MAC_BYTES)
  }

  /** Constant-time comparison. */
  isMac(purpose: Purpose, text: string, period: number, mac: Uint8Array): boolean {
    if (mac.length !== MAC_BYTES) return false
    const own = hash('sha3-256', this.#macKey(purpose, period) + text, 'latin1')
    let difference = 0
    for (let i = 0; i < MAC_BYTES; i++) difference |= own.charCodeAt(i) ^ mac[i]!
    return difference === 0
  }

  /** Encrypts for whoever has the master; `open` needs the same `context`, which is not in the result. */
  seal(plain: Uint8Array, context: string, nowS: number): Buffer {
    const period = this.period(nowS)
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey(period), iv)
    cipher.setAAD(Buffer.from(context))
    const body = cipher.update(plain)
    cipher.final()
    return Buffer.concat([Buffer.of(period & 255), iv, body, cipher.getAuthTag()])
  }

  /** Undefined for whatever was not sealed by us, in this context, in this period or the one before it. */
  open(sealed: Uint8Array, context: string, nowS: number): Buffer | undefined {
    if (sealed.length < SEAL_OVERHEAD || sealed.length > MOST_SEALED) return undefined
    const period = this.#sealedIn(sealed[0]!, nowS)
    if (period === undefined) return undefined
    const iv = sealed.subarray(1, 1 + IV_BYTES)
    const tagAt = sealed.length - TAG_BYTES
    const decipher = createDecipheriv('aes-256-gcm', this.#sealKey(period), iv, { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(sealed.subarray(tagAt))
    const plain = decipher.update(sealed.subarray(1 + IV_BYTES, tagAt))
    try {
      decipher.final()
    } catch {
      // The one way in which node:crypto says that a tag is wrong.
      return undefined
    }
    return plain
  }

  #sealedIn(low: number, nowS: number): number | undefined {
    const newest = this.period(nowS + CLOCK_SKEW_S)
    for (let period = newest; period >= this.period(nowS) - 1; period--)
      if ((period & 255) === low) return period
    return undefined
  }

  #macKey(purpose: Purpose, period: number): string {
    const keys = this.#macKeys.get(purpose)
    assert(keys !== undefined, `unknown purpose ${purpose}`)
    let key = keys.get(period)
    if (key === undefined) {
      key = this.#derive(purpose, period).toString('hex')
      keys.set(period, key)
    }
    return key
  }

  #sealKey(period: number): Buffer {
    let key = this.#sealKeys.get(period)
    if (key === undefined) {
      key = this.#derive('seal', period)
      this.#sealKeys.set(period, key)
    }
    return key
  }

  #derive(purpose: string, period: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#master, '', `digue 1 ${purpose} ${period}`, 32))
  }
}
