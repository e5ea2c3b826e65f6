/**
 * The process that alone may change the kernel's tables. It listens on a Unix socket whose permissions say who
 * may speak, or has its parent at its standard input and output. Whoever silenced somebody and then
 * goes, with its connection, takes all entries along when it was the last: a main process that crashed leaves nothing.
 */
import { chmodSync, mkdtempSync, rmSync, statSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { DropTable, type Session, type TableEvent, type TableSettings } from './drop-table.ts'
import type { Surroundings } from './guard.ts'
import { NftSession } from './nft-session.ts'
import { type HelperMessage, Lines, readRequest } from './protocol.ts'
import { lookAround } from './surroundings.ts'

export interface HelperOptions {
  readonly settings: TableSettings
  readonly onEvent: (event: TableEvent) => void
  /** Folder for commands that nobody else may write to; a new one by default. */
  readonly folder?: string
  /** What runs nft; tests put a namespace in front. */
  readonly program?: readonly string[]
  readonly open?: (onEnd: (reason: string) => void) => Session
  readonly look?: () => Promise<Surroundings>
}

export interface Helper {
  /** Serves one connection until it ends. */
  serve(stream: Duplex): void
  /** Opens the Unix socket: mode 0660, its group is that of the process. */
  listen(path: string): Promise<void>
  close(): Promise<void>
}

const MOST_CONNECTIONS = 8
/** Answers that wait for a reader who does not read. */
const MOST_UNREAD = 1_000_000

export async function startHelper(options: HelperOptions): Promise<Helper> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'digue-kernel-'))
  const streams = new Set<Duplex>()
  const fillers = new Set<Duplex>()
  const tell = (stream: Duplex, message: HelperMessage) => {
    if (stream.writableLength > MOST_UNREAD) stream.destroy()
    else if (!stream.writableEnded && !stream.destroyed) stream.write(`${JSON.stringify(message)}\n`)
  }
  const table = new DropTable(options.settings, {
    open:
      options.open ??
      ((onEnd) =>
        new NftSession({ folder, ...(options.program ? { program: options.program } : {}) }, onEnd)),
    look: options.look ?? (() => lookAround()),
    now: () => performance.now(),
    onEvent: (event) => {
      options.onEvent(event)
      for (const stream of fillers) tell(stream, { event })
    },
  })
  await table.look()

  const answer = (stream: Duplex, line: string): HelperMessage => {
    const request = readRequest(line)
    if (typeof request === 'string') return { error: request }
    const { id } = request
    if ('drop' in request) {
      fillers.add(stream)
      return { id, dropped: table.drop(request.drop, request.seconds) }
    }
    if ('release' in request) return { id, released: table.release(request.release) }
    return { id, status: table.status() }
  }

  const serve = (stream: Duplex) => {
    if (streams.size >= MOST_CONNECTIONS) {
      stream.destroy()
      return
    }
    streams.add(stream)
    const lines = new Lines()
    const end = () => {
      streams.delete(stream)
      if (fillers.delete(stream) && fillers.size === 0) void table.close()
      stream.destroy()
    }
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      const whole = lines.push(chunk)
      if (whole === undefined) {
        end()
        return
      }
      for (const line of whole) {
        const message = answer(stream, line)
        tell(stream, message)
        // Who speaks another language is not waited for.
        if ('error' in message) stream.end()
      }
    })
    stream.on('end', end)
    stream.on('close', end)
    stream.on('error', end)
  }

  let server: Server | undefined
  return {
    serve,
    listen: async (path) => {
      server = await listen(path, serve)
    },
    close: async () => {
      server?.close()
      await table.close()
      for (const stream of streams) stream.destroy()
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function listen(path: string, serve: (stream: Duplex) => void): Promise<Server> {
  // From a helper that was killed; whatever else is there is not ours to remove.
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() && !(await answers(path))) unlinkSync(path)
  return new Promise((resolve, reject) => {
    const server = createServer(serve)
    server.once('error', reject)
    // bind(2) takes the mode from the umask: the socket never exists with another.
    const umask = process.umask(0o117)
    try {
      server.listen(path, () => {
        chmodSync(path, 0o660)
        server.off('error', reject)
        server.on('error', () => {})
        resolve(server)
      })
    } finally {
      process.umask(umask)
    }
  })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
