/**
 * The operator's way in: a Unix socket with mode 0600. One line of JSON in, one line out, closed.
 *
 * Its permissions are its password, so the socket must never exist with others: bind(2) takes the
 * mode from the umask, which is narrowed around the (synchronous) bind. The socket also keeps a
 * second Digue from using the same state directory.
 */
import { chmodSync, mkdirSync, statSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { answer, type Commands } from './commands.ts'

const MAX_REQUEST_BYTES = 65_536
const MAX_CONNECTIONS = 16
/** For a whole request; then for its answer: a purge looks at all that is on disk. */
const DEADLINE_MS = 5000
const ANSWER_DEADLINE_MS = 60_000

export class SocketInUseError extends Error {
  readonly code = 'DIGUE_SOCKET_IN_USE'
}

export interface CommandSocket {
  readonly path: string
  close(): Promise<void>
}

export async function openCommandSocket(path: string, commands: Commands): Promise<CommandSocket> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let server: Server
  try {
    server = await listen(path, commands)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    if (!statSync(path).isSocket())
      throw new SocketInUseError(`${path}: expected a socket or nothing, got another kind of file`)
    if (await answers(path))
      throw new SocketInUseError(
        `another Digue already runs with ${path}; stop it, or give this one its own --state`,
      )
    // Left behind by one that was killed.
    unlinkSync(path)
    server = await listen(path, commands)
  }
  chmodSync(path, 0o600)
  const sockets = (server as Server & { open: Set<Socket> }).open
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        // Node unlinks the path itself.
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

function listen(path: string, commands: Commands): Promise<Server> {
  return new Promise((resolve, reject) => {
    const open = new Set<Socket>()
    const server = createServer((socket) => {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
      serve(socket, commands)
    })
    server.maxConnections = MAX_CONNECTIONS
    server.once('error', reject)
    const umask = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', reject)
        // An accept that fails (no descriptor left) must not end the process.
        server.on('error', () => {})
        resolve(Object.assign(server, { open }))
      })
    } finally {
      process.umask(umask)
    }
  })
}

function serve(socket: Socket, commands: Commands): void {
  let text = ''
  socket.setEncoding('utf8')
  let deadline = setTimeout(() => socket.destroy(), DEADLINE_MS)
  socket.on('close', () => clearTimeout(deadline))
  socket.on('error', () => socket.destroy())
  const receive = (chunk: string) => {
    text += chunk
    const end = text.indexOf('\n')
    if (end === -1) {
      if (text.length > MAX_REQUEST_BYTES) socket.destroy()
      return
    }
    socket.off('data', receive)
    socket.resume()
    clearTimeout(deadline)
    deadline = setTimeout(() => socket.destroy(), ANSWER_DEADLINE_MS)
    void answer(text.slice(0, end), commands).then((response) => socket.end(`${JSON.stringify(response)}\n`))
  }
  socket.on('data', receive)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // EAGAIN: somebody listens whose queue is full.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
