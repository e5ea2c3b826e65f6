/** The log as lines for a person at a terminal: `14:03:07 warn: the origin rests`. */
import type { DestinationStream } from 'pino'
import { plain } from './output.ts'

export function plainLines(to: DestinationStream): DestinationStream {
  return { write: (line) => to.write(`${plainLine(line)}\n`) }
}

/** A line that is not ours to understand stays as it is. */
export function plainLine(line: string): string {
  try {
    const { level, time, msg, code: _code, thread: _thread, ...rest } = JSON.parse(line)
    const more = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : ''
    return plain(`${new Date(time).toTimeString().slice(0, 8)} ${level}: ${msg}${more}`)
  } catch {
    return line.trimEnd()
  }
}
