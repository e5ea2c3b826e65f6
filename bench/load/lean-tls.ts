/**
 * The client half of TLS 1.3 (RFC 8446), as little of it as a flood needs: X25519 and AES-GCM, no certificate
 * check, no resumption, no key update. It may begin with the ClientHello of another program (`hello-like.ts`).
 *
 * Node's own TLS client costs 0.8 ms of a core per handshake, as much as its server: one core of load
 * could never bring twice what one core of Digue can shake. This one costs about a third of that,
 * since it reuses one key pair for all connections (an attacker need not care) and verifies nothing.
 * Never use it for anything but load: it does not know whom it talks to.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type Hash,
  randomBytes,
} from 'node:crypto'
import { helloLike, u16, vector16 } from './hello-like.ts'

interface Suite {
  readonly hash: 'sha256' | 'sha384'
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm'
  readonly keyBytes: number
  readonly empty: Buffer
  readonly zero: Buffer
  readonly derivedEarly: Buffer
}

const SUITES: ReadonlyMap<number, Suite> = new Map([
  [0x1301, suite('sha256', 'aes-128-gcm', 16)],
  [0x1302, suite('sha384', 'aes-256-gcm', 32)],
])

function suite(hash: Suite['hash'], cipher: Suite['cipher'], keyBytes: number): Suite {
  const empty = createHash(hash).digest()
  const zero = Buffer.alloc(empty.length)
  const early = createHmac(hash, zero).update(zero).digest()
  return {
    hash,
    cipher,
    keyBytes,
    empty,
    zero,
    derivedEarly: expand(hash, early, 'derived', empty, empty.length),
  }
}

const KEYS = generateKeyPairSync('x25519')
const OWN_SHARE = KEYS.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex')
/** HKDF-Expand-Label of RFC 8446 §7.1; one block is enough for every length used. */
function expand(hash: Suite['hash'], secret: Buffer, label: string, context: Buffer, length: number): Buffer {
  const name = `tls13 ${label}`
  const info = Buffer.concat([
    Buffer.from([length >> 8, length & 255, name.length]),
    Buffer.from(name, 'latin1'),
    Buffer.from([context.length]),
    context,
    Buffer.from([1]),
  ])
  return createHmac(hash, secret).update(info).digest().subarray(0, length)
}

const extension = (type: number, ...parts: Buffer[]) => Buffer.concat([u16(type), vector16(...parts)])

/** One ClientHello for all connections of a process, its random too: servers do not mind. */
const hellos = new Map<string, Hello>()

interface Hello {
  readonly record: Buffer
  readonly hashes: Readonly<Record<Suite['hash'], Hash>>
}

function clientHello(host: string, like: string): Hello {
  const name = `${host} ${like}`
  const made = hellos.get(name)
  if (made) return made
  const message = like === '' ? buildHello(host) : helloLike(Buffer.from(like, 'base64'), host, OWN_SHARE)
  const hello = {
    record: Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message]),
    hashes: {
      sha256: createHash('sha256').update(message),
      sha384: createHash('sha384').update(message),
    },
  }
  hellos.set(name, hello)
  return hello
}

function buildHello(host: string): Buffer {
  const name = Buffer.from(host, 'latin1')
  const extensions = vector16(
    extension(0, vector16(Buffer.from([0]), vector16(name))),
    extension(10, vector16(u16(0x001d))),
    extension(13, vector16(...[0x0403, 0x0804, 0x0401, 0x0503, 0x0805].map(u16))),
    extension(16, vector16(Buffer.from([8]), Buffer.from('http/1.1'))),
    extension(43, Buffer.from([2, 3, 4])),
    extension(51, vector16(u16(0x001d), vector16(OWN_SHARE))),
  )
  const body = Buffer.concat([
    u16(0x0303),
    randomBytes(32),
    Buffer.from([0]),
    vector16(u16(0x1301)),
    Buffer.from([1, 0]),
    extensions,
  ])
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body])
}

class Keys {
  readonly #key: Buffer
  readonly #iv: Buffer
  #sequence = 0

  readonly #cipher: Suite['cipher']

  constructor({ hash, cipher, keyBytes }: Suite, secret: Buffer) {
    this.#cipher = cipher
    this.#key = expand(hash, secret, 'key', Buffer.alloc(0), keyBytes)
    this.#iv = expand(hash, secret, 'iv', Buffer.alloc(0), 12)
  }

  #nonce(): Buffer {
    const nonce = Buffer.from(this.#iv)
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8)
    return nonce
  }

  seal(type: number, plain: Buffer): Buffer {
    const cipher = createCipheriv(this.#cipher, this.#key, this.#nonce())
    const head = Buffer.concat([Buffer.from([23, 3, 3]), u16(plain.length + 17)])
    cipher.setAAD(head)
    const sealed = Buffer.concat([cipher.update(plain), cipher.update(Buffer.from([type])), cipher.final()])
    return Buffer.concat([head, sealed, cipher.getAuthTag()])
  }

  /** The plaintext with its true type, or undefined when it does not open. */
  open(head: Buffer, body: Buffer): { type: number; plain: Buffer } | undefined {
    if (body.length < 17) return undefined
    const decipher = createDecipheriv(this.#cipher, this.#key, this.#nonce())
    decipher.setAAD(head)
    decipher.setAuthTag(body.subarray(-16))
    const inner = decipher.update(body.subarray(0, -16))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    let end = inner.length
    while (end > 0 && inner[end - 1] === 0) end--
    return { type: inner[end - 1] ?? 0, plain: inner.subarray(0, Math.max(0, end - 1)) }
  }
}

export interface LeanTlsSink {
  readonly host: string
  /** Hangs up at the server's half of the handshake, its dear part: `failed('halfway')`. */
  readonly halfway?: boolean
  /** Base64 of a ClientHello (its TLS record) of the program that is imitated. */
  readonly hello?: string | undefined
  write(bytes: Buffer): void
  /** Decrypted bytes of the server's. */
  data(bytes: Buffer): void
  failed(why: string): void
}

export class LeanTls {
  readonly #sink: LeanTlsSink
  #hello!: Hello
  #suite!: Suite
  #transcript!: Hash
  #state: 'hello' | 'encrypted' | 'open' | 'failed' = 'hello'
  #rest: Buffer = Buffer.alloc(0)
  #handshake: Buffer = Buffer.alloc(0)
  #handshakeSecret!: Buffer
  #clientSecret!: Buffer
  #serverSecret!: Buffer
  #read: Keys | undefined
  #write: Keys | undefined
  #queued: string[] = []

  constructor(sink: LeanTlsSink) {
    this.#sink = sink
  }

  start(): void {
    this.#hello = clientHello(this.#sink.host, this.#sink.hello ?? '')
    this.#sink.write(this.#hello.record)
  }

  send(text: string): void {
    if (this.#state === 'open') this.#sink.write(this.#write!.seal(23, Buffer.from(text, 'latin1')))
    else this.#queued.push(text)
  }

  feed(bytes: Buffer): void {
    // Copied: the socket's read buffer is shared by all connections.
    let rest = Buffer.concat([this.#rest, bytes])
    while (rest.length >= 5 && this.#state !== 'failed') {
      const length = rest.readUInt16BE(3)
      if (rest.length < 5 + length) break
      this.#record(rest.subarray(0, 5), rest.subarray(5, 5 + length))
      rest = rest.subarray(5 + length)
    }
    this.#rest = rest
  }

  #fail(why: string): void {
    if (this.#state === 'failed') return
    this.#state = 'failed'
    this.#sink.failed(why)
  }

  #record(head: Buffer, body: Buffer): void {
    let type = head[0]!
    let plain = body
    if (type === 20) return
    if (type === 23) {
      const opened = this.#read?.open(head, body)
      if (!opened) {
        this.#fail('record')
        return
      }
      type = opened.type
      plain = opened.plain
    }
    switch (type) {
      case 22:
        this.#messages(plain)
        return
      case 23:
        this.#sink.data(plain)
        return
      case 21:
        // close_notify is the ordinary end: the socket's own end follows.
        if (plain[1] !== 0) this.#fail(`alert ${plain[1]}`)
        return
      default:
        this.#fail(`record type ${type}`)
    }
  }

  #messages(plain: Buffer): void {
    let rest = Buffer.concat([this.#handshake, plain])
    while (rest.length >= 4) {
      const length = rest.readUIntBE(1, 3)
      if (rest.length < 4 + length) break
      this.#message(rest[0]!, rest.subarray(0, 4 + length))
      rest = rest.subarray(4 + length)
    }
    this.#handshake = rest
  }

  #message(type: number, whole: Buffer): void {
    // After the handshake only session tickets come: of no use here.
    if (this.#state === 'open') return
    if (type === 2 && this.#sink.halfway) {
      this.#fail('halfway')
      return
    }
    if (type === 2) {
      this.#serverHello(whole)
      return
    }
    this.#transcript.update(whole)
    if (type === 20) this.#finished()
  }

  #serverHello(whole: Buffer): void {
    // type 1, length 3, version 2, random 32, session id, suite 2, compression 1, extensions.
    let at = 38 + 1 + whole[38]!
    const suite = SUITES.get(whole.readUInt16BE(at))
    if (!suite) {
      this.#fail('suite')
      return
    }
    this.#suite = suite
    this.#transcript = this.#hello.hashes[suite.hash].copy().update(whole)
    at += 5
    let share: Buffer | undefined
    while (at + 4 <= whole.length) {
      const length = whole.readUInt16BE(at + 2)
      if (whole.readUInt16BE(at) === 51 && length === 36) share = whole.subarray(at + 8, at + 40)
      at += 4 + length
    }
    if (!share) {
      this.#fail('key share')
      return
    }
    const publicKey = createPublicKey({
      key: Buffer.concat([SPKI_X25519, share]),
      format: 'der',
      type: 'spki',
    })
    const shared = diffieHellman({ privateKey: KEYS.privateKey, publicKey })
    const hash = this.#transcript.copy().digest()
    this.#handshakeSecret = createHmac(suite.hash, suite.derivedEarly).update(shared).digest()
    this.#clientSecret = this.#expand(this.#handshakeSecret, 'c hs traffic', hash)
    this.#serverSecret = this.#expand(this.#handshakeSecret, 's hs traffic', hash)
    this.#read = new Keys(suite, this.#serverSecret)
    this.#state = 'encrypted'
  }

  #expand(secret: Buffer, label: string, context: Buffer): Buffer {
    return expand(this.#suite.hash, secret, label, context, this.#suite.zero.length)
  }

  #finished(): void {
    const { hash, empty, zero } = this.#suite
    const hmac = (key: Buffer, data: Buffer) => createHmac(hash, key).update(data).digest()
    const digest = this.#transcript.copy().digest()
    const verify = hmac(this.#expand(this.#clientSecret, 'finished', Buffer.alloc(0)), digest)
    const message = Buffer.concat([Buffer.from([20, 0, 0, verify.length]), verify])
    const out = [
      Buffer.from([20, 3, 3, 0, 1, 1]),
      new Keys(this.#suite, this.#clientSecret).seal(22, message),
    ]
    const master = hmac(this.#expand(this.#handshakeSecret, 'derived', empty), zero)
    this.#read = new Keys(this.#suite, this.#expand(master, 's ap traffic', digest))
    this.#write = new Keys(this.#suite, this.#expand(master, 'c ap traffic', digest))
    this.#state = 'open'
    for (const text of this.#queued) out.push(this.#write.seal(23, Buffer.from(text, 'latin1')))
    this.#queued = []
    this.#sink.write(Buffer.concat(out))
  }
}
