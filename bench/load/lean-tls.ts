/**
 * The client half of TLS 1.3 (RFC 8446), as little of it as a flood needs: X25519 and
 * TLS_AES_128_GCM_SHA256, no certificate check, no resumption, no key update.
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

const HASH_BYTES = 32
const KEYS = generateKeyPairSync('x25519')
const OWN_SHARE = KEYS.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex')
const EMPTY_HASH = createHash('sha256').digest()
const ZERO = Buffer.alloc(HASH_BYTES)

const hmac = (key: Buffer, data: Buffer) => createHmac('sha256', key).update(data).digest()

/** HKDF-Expand-Label of RFC 8446 §7.1; one block is enough for every length used. */
function expandLabel(secret: Buffer, label: string, context: Buffer, length: number): Buffer {
  const name = `tls13 ${label}`
  const info = Buffer.concat([
    Buffer.from([length >> 8, length & 255, name.length]),
    Buffer.from(name, 'latin1'),
    Buffer.from([context.length]),
    context,
    Buffer.from([1]),
  ])
  return hmac(secret, info).subarray(0, length)
}

const EARLY_SECRET = hmac(ZERO, ZERO)
const DERIVED_EARLY = expandLabel(EARLY_SECRET, 'derived', EMPTY_HASH, HASH_BYTES)

const u16 = (n: number) => Buffer.from([n >> 8, n & 255])
const vector16 = (...parts: Buffer[]) => {
  const body = Buffer.concat(parts)
  return Buffer.concat([u16(body.length), body])
}
const extension = (type: number, ...parts: Buffer[]) => Buffer.concat([u16(type), vector16(...parts)])

/** One ClientHello for all connections of a process, its random too: servers do not mind. */
const hellos = new Map<string, { record: Buffer; hash: Hash }>()

function clientHello(host: string): { record: Buffer; hash: Hash } {
  const made = hellos.get(host)
  if (made) return made
  const message = buildHello(host)
  const hello = {
    record: Buffer.concat([Buffer.from([22, 3, 1]), u16(message.length), message]),
    hash: createHash('sha256').update(message),
  }
  hellos.set(host, hello)
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

  constructor(secret: Buffer) {
    this.#key = expandLabel(secret, 'key', Buffer.alloc(0), 16)
    this.#iv = expandLabel(secret, 'iv', Buffer.alloc(0), 12)
  }

  #nonce(): Buffer {
    const nonce = Buffer.from(this.#iv)
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8)
    return nonce
  }

  seal(type: number, plain: Buffer): Buffer {
    const cipher = createCipheriv('aes-128-gcm', this.#key, this.#nonce())
    const head = Buffer.concat([Buffer.from([23, 3, 3]), u16(plain.length + 17)])
    cipher.setAAD(head)
    const sealed = Buffer.concat([cipher.update(plain), cipher.update(Buffer.from([type])), cipher.final()])
    return Buffer.concat([head, sealed, cipher.getAuthTag()])
  }

  /** The plaintext with its true type, or undefined when it does not open. */
  open(head: Buffer, body: Buffer): { type: number; plain: Buffer } | undefined {
    if (body.length < 17) return undefined
    const decipher = createDecipheriv('aes-128-gcm', this.#key, this.#nonce())
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
  write(bytes: Buffer): void
  /** Decrypted bytes of the server's. */
  data(bytes: Buffer): void
  failed(why: string): void
}

export class LeanTls {
  readonly #sink: LeanTlsSink
  #transcript!: Hash
  #state: 'hello' | 'encrypted' | 'open' | 'failed' = 'hello'
  #rest: Buffer = Buffer.alloc(0)
  #handshake: Buffer = Buffer.alloc(0)
  #handshakeSecret: Buffer = ZERO
  #clientSecret: Buffer = ZERO
  #serverSecret: Buffer = ZERO
  #read: Keys | undefined
  #write: Keys | undefined
  #queued: string[] = []

  constructor(sink: LeanTlsSink) {
    this.#sink = sink
  }

  start(): void {
    const hello = clientHello(this.#sink.host)
    this.#transcript = hello.hash.copy()
    this.#sink.write(hello.record)
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
    this.#transcript.update(whole)
    if (type === 2 && this.#sink.halfway) {
      this.#fail('halfway')
      return
    }
    if (type === 2) this.#serverHello(whole)
    else if (type === 20) this.#finished()
  }

  #serverHello(whole: Buffer): void {
    // type 1, length 3, version 2, random 32, session id, suite 2, compression 1, extensions.
    let at = 38 + 1 + whole[38]!
    if (whole.readUInt16BE(at) !== 0x1301) {
      this.#fail('suite')
      return
    }
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
    this.#handshakeSecret = hmac(DERIVED_EARLY, shared)
    this.#clientSecret = expandLabel(this.#handshakeSecret, 'c hs traffic', hash, HASH_BYTES)
    this.#serverSecret = expandLabel(this.#handshakeSecret, 's hs traffic', hash, HASH_BYTES)
    this.#read = new Keys(this.#serverSecret)
    this.#state = 'encrypted'
  }

  #finished(): void {
    const hash = this.#transcript.copy().digest()
    const verify = hmac(expandLabel(this.#clientSecret, 'finished', Buffer.alloc(0), HASH_BYTES), hash)
    const message = Buffer.concat([Buffer.from([20, 0, 0, HASH_BYTES]), verify])
    const out = [Buffer.from([20, 3, 3, 0, 1, 1]), new Keys(this.#clientSecret).seal(22, message)]
    const master = hmac(expandLabel(this.#handshakeSecret, 'derived', EMPTY_HASH, HASH_BYTES), ZERO)
    this.#read = new Keys(expandLabel(master, 's ap traffic', hash, HASH_BYTES))
    this.#write = new Keys(expandLabel(master, 'c ap traffic', hash, HASH_BYTES))
    this.#state = 'open'
    for (const text of this.#queued) out.push(this.#write.seal(23, Buffer.from(text, 'latin1')))
    this.#queued = []
    this.#sink.write(Buffer.concat(out))
  }
}
