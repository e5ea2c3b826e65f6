/** The hash that the configuration holds in place of a key. The key comes by standard input: arguments are seen by everyone. */
import { hashToken } from '#recognise'
import { CliError, EXIT, type Terminal } from './output.ts'

const MOST_BYTES = 4096

export async function hashTokenCommand(
  flags: { readonly json?: boolean },
  terminal: Terminal,
  input: AsyncIterable<Buffer | string> = process.stdin,
): Promise<void> {
  let text = ''
  for await (const chunk of input) {
    text += String(chunk)
    if (text.length > MOST_BYTES)
      throw new CliError(
        `standard input: expected a key of at most ${MOST_BYTES} bytes, got more`,
        EXIT.usage,
      )
  }
  const key = text.replace(/\r?\n$/, '')
  if (key === '') throw new CliError('standard input: expected a key, got nothing', EXIT.usage)
  const sha256 = hashToken(key)
  terminal.out(flags.json === true ? `${JSON.stringify({ sha256 })}\n` : `${sha256}\n`)
}
