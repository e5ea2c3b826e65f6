/**
 * One long-lived `nft -i`: a table with `flags owner` lives exactly as long as it, so that nothing of ours
 * stays behind whoever is killed, and a command costs one millisecond instead of a process.
 *
 * Its line editor reads one character per system call (50,000 entries: 2.6 s), so commands go into a file
 * that it is told to include (0.26 s). It gives no sign when a command is done: behind each goes a word it
 * does not know, and its complaint about that is the sign; whatever it complained of before is the answer.
 * No shell anywhere.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface NftOptions {
  /** Program and arguments before `-i`; tests put a network namespace in front. */
  readonly program?: readonly string[]
  /** Nobody else may write here: nft reads its commands from it. */
  readonly folder: string
  readonly deadlineMs?: number
}

export interface NftAnswer {
  /** What nft complained of; '' when all was done. A file of commands is one transaction: all or nothing. */
  readonly fault: string
  readonly output: string
}

interface Pending {
  readonly commands: string
  readonly resolve: (answer: NftAnswer) => void
}

/** Tens of thousands of entries on a slow machine. */
const DEADLINE_MS = 20_000
const MOST_OUTPUT = 65_536
const ENDED = 'nft has ended'

export class NftSession {
  /** Undefined while it runs; why it ended, afterwards. */
  ended: string | undefined
  readonly #child: ChildProcessWithoutNullStreams
  readonly #file: string
  readonly #deadlineMs: number
  readonly #pending: Pending[] = []
  readonly #onEnd: (reason: string) => void
  #serial = 0
  #sign = ''
  #complaints = ''
  #output = ''
  #timer: NodeJS.Timeout | undefined

  /** `onEnd` is called once, also when nft could not be started. */
  constructor(options: NftOptions, onEnd: (reason: string) => void) {
    const [program = 'nft', ...before] = options.program ?? []
    this.#file = join(options.folder, 'commands.nft')
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS
    this.#onEnd = onEnd
    this.#child = spawn(program, [...before, '-i'], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      // Debian keeps nft in sbin; a HOME would get a history file.
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C', HOME: '/dev/null' },
    })
    this.#child.on('error', (error) => this.#end(error.message))
    this.#child.on('exit', (code, signal) => this.#end(`nft ended (${signal ?? `exit code ${code}`})`))
    this.#child.stdin.on('error', () => {})
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-MOST_OUTPUT)
    })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-MOST_OUTPUT)
      this.#look()
    })
  }

  /** Commands run one after the other, each as one transaction. Never rejects. */
  run(commands: string): Promise<NftAnswer> {
    if (this.ended !== undefined) return Promise.resolve({ fault: this.ended, output: '' })
    return new Promise((resolve) => {
      this.#pending.push({ commands, resolve })
      if (this.#pending.length === 1) this.#begin()
    })
  }

  /** Ends nft, and with it the table that it owns. */
  close(): void {
    this.#child.stdin.end()
    this.#child.kill('SIGTERM')
  }

  #begin(): void {
    const next = this.#pending[0]
    if (next === undefined || this.ended !== undefined) return
    this.#complaints = ''
    this.#output = ''
    this.#sign = `digue_done_${++this.#serial}_`
    try {
      writeFileSync(this.#file, next.commands, { mode: 0o600 })
    } catch (error) {
      this.#finish({ fault: `${this.#file}: ${(error as Error).message}`, output: '' })
      return
    }
    this.#timer = setTimeout(() => {
      this.#child.kill('SIGKILL')
      this.#end(`nft did not answer within ${this.#deadlineMs / 1000} s`)
    }, this.#deadlineMs)
    this.#child.stdin.write(`include "${this.#file}"\n${this.#sign}\n`)
  }

  #look(): void {
    const at = this.#sign === '' ? -1 : this.#complaints.indexOf(`\n${this.#sign}`)
    if (at < 0) return
    // The sign's own complaint begins on the line before it.
    const before = this.#complaints.slice(0, this.#complaints.lastIndexOf('\n', at - 1) + 1)
    // What was left of the complaint about the last sign: a line of ^.
    const fault = summary(before.replace(/^[\s^~]+\n/, ''))
    this.#sign = ''
    clearTimeout(this.#timer)
    // stdout is another pipe: whatever was written before the sign is read by the end of this round.
    setImmediate(() => this.#finish({ fault, output: this.#output }))
  }

  #finish(answer: NftAnswer): void {
    this.#pending.shift()?.resolve(answer)
    this.#begin()
  }

  #end(reason: string): void {
    if (this.ended !== undefined) return
    this.ended = reason
    clearTimeout(this.#timer)
    for (const { resolve } of this.#pending.splice(0)) resolve({ fault: ENDED, output: '' })
    this.#onEnd(reason)
  }
}

/** The first of them. What follows repeats the commands, which may be long. */
function summary(complaints: string): string {
  const text = complaints.trim()
  return (/Error: (.{1,300})/.exec(text)?.[1] ?? text.slice(0, 300)).trim()
}
