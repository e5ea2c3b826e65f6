/**
 * Closing while the client is still sending. A close with unread bytes makes the kernel send RST,
 * and a client that gets RST may throw away the answer that tells it why (RFC 9112 §9.6). So: end our
 * side, read and discard for a moment, then close.
 */
import type { Socket } from 'node:net'

const LINGER_MS = 1000
const LINGER_BYTES = 1024 * 1024
/** Connections that linger at once; beyond it they are closed hard. */
const MAX_LINGERING = 512
let lingering = 0

export function lingerClose(socket: Socket): void {
  if (socket.destroyed) return
  if (lingering >= MAX_LINGERING) {
    socket.end(() => socket.destroy())
    return
  }
  lingering++
  let discarded = 0
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > LINGER_BYTES) socket.destroy()
  })
  socket.on('error', () => {})
  socket.once('close', () => {
    clearTimeout(timer)
    lingering--
  })
  socket.end()
  socket.resume()
}
