/** The bytes of a log: a file or standard input, plain, gzip or zstd, told apart by their first bytes. */
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'

export interface LogSource {
  /** Reads into `buffer` from `offset` on; 0 at the end. Rejects when reading or unpacking fails. */
  read(buffer: Buffer, offset: number): Promise<number>
  /** Bytes taken from the file, packed as they are there. */
  readonly readBytes: number
  /** Of the file; undefined when it cannot be known, as with a pipe. */
  readonly sizeBytes: number | undefined
  close(): Promise<void>
}

/** A file that is packed in a way that is not read here. The message says what to do. */
export class PackedLogError extends Error {
  readonly code = 'DIGUE_LOG_PACKED'
}

const CHUNK = 1 << 18
const MAGIC = 6
/** What else logs are packed with, by their first bytes. */
const OTHERS: readonly [bytes: readonly number[], name: string, unpack: string][] = [
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'xz', 'xzcat'],
  [[0x42, 0x5a, 0x68], 'bzip2', 'bzcat'],
  [[0x50, 0x4b, 0x03, 0x04], 'zip', 'unzip -p'],
  [[0x1f, 0x9d], 'compress', 'zcat'],
]

/** Opens a path, or standard input for "-". Rejects with the system's error, or a PackedLogError. */
export async function openLogSource(path: string): Promise<LogSource> {
  const counter = { readBytes: 0 }
  let sizeBytes: number | undefined
  let plain: AsyncIterable<Buffer>
  let close = async () => {}
  if (path === '-') plain = process.stdin
  else {
    const file = await open(path)
    try {
      const stat = await file.stat()
      // As reading would, but before anything else is told about the file.
      if (stat.isDirectory())
        throw Object.assign(new Error(`EISDIR: ${path} is a folder`), { code: 'EISDIR' })
      sizeBytes = stat.isFile() ? stat.size : undefined
    } catch (error) {
      await file.close()
      throw error
    }
    plain = fileChunks(file)
    close = () => file.close()
  }
  const chunks = counted(plain, counter)[Symbol.asyncIterator]()
  let head: Buffer = Buffer.alloc(0)
  try {
    while (head.length < MAGIC) {
      const { value, done } = await chunks.next()
      if (done) break
      head = head.length === 0 ? Buffer.from(value) : Buffer.concat([head, value])
    }
    const other = OTHERS.find(([bytes]) => bytes.every((byte, i) => head[i] === byte))
    if (other !== undefined)
      throw new PackedLogError(`it is packed with ${other[1]}: ${other[2]} ${path} | digue replay -`)
  } catch (error) {
    await close()
    throw error
  }
  let unpacked = startingWith(head, chunks)
  if (head[0] === 0x1f && head[1] === 0x8b)
    unpacked = through(unpacked, createGunzip({ chunkSize: CHUNK }))[Symbol.asyncIterator]()
  else if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd)
    unpacked = through(unpacked, createZstdDecompress({ chunkSize: CHUNK }))[Symbol.asyncIterator]()
  let waiting: Buffer = Buffer.alloc(0)
  return {
    get readBytes() {
      return counter.readBytes
    },
    sizeBytes,
    async read(buffer, offset) {
      while (waiting.length === 0) {
        const { value, done } = await unpacked.next()
        if (done) return 0
        waiting = value
      }
      const taken = waiting.copy(buffer, offset)
      waiting = waiting.subarray(taken)
      return taken
    },
    async close() {
      await unpacked.return?.(undefined)
      await close()
    },
  }
}

async function* fileChunks(file: Awaited<ReturnType<typeof open>>): AsyncGenerator<Buffer> {
  // One buffer for all: whoever reads copies before asking for more.
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK, null)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

async function* counted(
  chunks: AsyncIterable<Buffer>,
  counter: { readBytes: number },
): AsyncGenerator<Buffer, undefined> {
  for await (const chunk of chunks) {
    counter.readBytes += chunk.length
    yield chunk
  }
}

async function* startingWith(
  head: Buffer,
  rest: AsyncGenerator<Buffer, undefined>,
): AsyncGenerator<Buffer, undefined> {
  if (head.length > 0) yield head
  yield* rest
}

type Unpacker = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>

async function* through(
  chunks: AsyncGenerator<Buffer, undefined>,
  unpacker: Unpacker,
): AsyncGenerator<Buffer, undefined> {
  // An unpacker keeps what it was given until it has got to it: each needs bytes of its own.
  const packed = Readable.from(copied(chunks), { objectMode: true })
  packed.on('error', (error) => unpacker.destroy(error))
  packed.pipe(unpacker)
  try {
    for await (const chunk of unpacker) yield chunk as Buffer
  } finally {
    packed.destroy()
    unpacker.destroy()
  }
}

async function* copied(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
}
