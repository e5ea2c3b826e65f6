/**
 * The secret from which the keys of all tokens are made: 64 hexadecimal digits in a file of its own.
 *
 * Apart from the state, so that several machines can be given the same one without the rest, and so
 * that a damaged state does not lock anybody out. Made when it is not there. A file that is there and
 * cannot be used is left as it is: a secret of this start takes its place, and the operator is told.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import path from 'node:path'

const BYTES = 32
/** A line end, and whatever an editor left behind it. */
const MOST_FILE_BYTES = 256

export interface Master {
  readonly secret: Buffer
  /** What is wrong with the file; '' when nothing is. */
  readonly fault: string
}

export async function readMaster(file: string): Promise<Master> {
  try {
    return await read(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') return substitute(`${file}: ${message}`)
  }
  const secret = randomBytes(BYTES)
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    // `wx`: of two that start at once, the second reads what the first has made.
    const made = await open(file, 'wx', 0o600)
    try {
      await made.writeFile(`${secret.toString('hex')}\n`)
      await made.sync()
    } finally {
      await made.close()
    }
    return { secret, fault: '' }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return read(file).catch((fault: Error) => substitute(`${file}: ${fault.message}`))
    return substitute(`${file}: ${message}`)
  }
}

async function read(file: string): Promise<Master> {
  const opened = await open(file)
  try {
    const { size, mode } = await opened.stat()
    if (size > MOST_FILE_BYTES)
      return substitute(`${file}: expected 64 hexadecimal digits, got ${size} bytes`)
    const text = (await opened.readFile('latin1')).trim()
    if (!/^[0-9a-f]{64}$/i.test(text))
      return substitute(`${file}: expected 64 hexadecimal digits, got ${text.length} other characters`)
    const fault = (mode & 0o077) === 0 ? '' : `${file}: others than its owner may read it: chmod 600`
    return { secret: Buffer.from(text, 'hex'), fault }
  } finally {
    await opened.close()
  }
}

function substitute(fault: string): Master {
  return {
    secret: randomBytes(BYTES),
    fault: `${fault}. Tokens are made with a secret of this start: nobody keeps them over a restart.`,
  }
}
