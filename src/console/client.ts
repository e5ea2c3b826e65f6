/** The other end of the command socket, for the command line. */
import { connect } from 'node:net'
import type { Request, Response } from './commands.ts'

const MAX_RESPONSE_CHARACTERS = 64_000_000
const DEADLINE_MS = 10_000
/** It looks at all that is on disk. */
const PURGE_DEADLINE_MS = 60_000

/** A command that could not be given; the message says what to do. */
export class CommandError extends Error {
  /** `DIGUE_NOT_RUNNING`, `DIGUE_NO_ACCESS`, `DIGUE_NO_ANSWER` or `DIGUE_REFUSED`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export function sendCommand(path: string, request: Request): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    const fail = (code: string, message: string, cause?: unknown) => {
      socket.destroy()
      reject(new CommandError(code, message, cause === undefined ? undefined : { cause }))
    }
    socket.setEncoding('utf8')
    socket.setTimeout(request.command === 'purge' ? PURGE_DEADLINE_MS : DEADLINE_MS, () =>
      fail('DIGUE_NO_ANSWER', `${path} does not answer; the process is there but busy or stuck`),
    )
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.length > MAX_RESPONSE_CHARACTERS) fail('DIGUE_NO_ANSWER', 'the answer is too long')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR') {
        fail(
          'DIGUE_NOT_RUNNING',
          `no Digue runs at ${path}; start one with \`digue run\`, or say where it is with --config, --state or --socket`,
          error,
        )
      } else if (error.code === 'EACCES' || error.code === 'EPERM') {
        fail(
          'DIGUE_NO_ACCESS',
          `no access to ${path}; run this as the user that runs Digue, or as root`,
          error,
        )
      } else fail('DIGUE_NO_ANSWER', `${path}: ${error.message}`, error)
    })
    socket.on('end', () => {
      let response: Response
      try {
        response = JSON.parse(text) as Response
      } catch {
        fail('DIGUE_NO_ANSWER', `${path} closed without an answer`)
        return
      }
      socket.destroy()
      if (response.ok) resolve(response.result)
      else reject(new CommandError('DIGUE_REFUSED', response.error))
    })
  })
}
