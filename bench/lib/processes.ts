/**
 * Child processes of a bench: pinned to a core, watched, and ended by their own process id. Whatever
 * way the bench ends (result, error, Ctrl-C), nothing that it started stays behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'

export class BenchError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Full path of a program, or undefined. Debian keeps servers in sbin, off an ordinary user's PATH. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

const taskset = findProgram('taskset')
// A bench that is killed outright cannot clean up: then the kernel ends its children.
const orphansEnd = findProgram('setpriv')
/** Cores for the server under test and for everything else; undefined where nothing can be pinned. */
export const CORES = taskset && countCores() >= 2 ? { server: 0, load: 1 } : undefined

function countCores(): number {
  return navigator.hardwareConcurrency
}

export interface StartOptions {
  readonly core: number | undefined
  readonly nice?: number
  readonly ipc?: boolean
  readonly cwd?: string
}

const running = new Set<Child>()

export class Child {
  readonly process: ChildProcess
  readonly name: string
  /** The last of what it printed, for messages when it fails. */
  output = ''
  exited = false

  constructor(name: string, command: readonly string[], options: StartOptions) {
    this.name = name
    const whole = [
      ...(options.nice && findProgram('nice') ? ['nice', '-n', String(options.nice)] : []),
      ...(orphansEnd ? [orphansEnd, '--pdeathsig', 'TERM'] : []),
      ...(options.core !== undefined && taskset ? [taskset, '-c', String(options.core)] : []),
      ...command,
    ]
    this.process = spawn(whole[0]!, whole.slice(1), {
      stdio: options.ipc ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
      serialization: 'advanced',
      ...(options.cwd ? { cwd: options.cwd } : {}),
    })
    running.add(this)
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.output = (this.output + data.toString()).slice(-4000)
      })
    }
    this.process.on('error', (error) => {
      this.output += error.message
      this.exited = true
      running.delete(this)
    })
    this.process.on('exit', () => {
      this.exited = true
      running.delete(this)
    })
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  /** This process and its descendants. */
  pids(): number[] {
    return [this.pid, ...descendants(this.pid)]
  }

  send(message: object): void {
    if (this.process.connected) this.process.send(message)
  }

  /** The next IPC message that has `field`; rejects when the process ends first. */
  message<T>(field: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const { process: child } = this
      const onMessage = (message: unknown) => {
        if (!message || typeof message !== 'object' || !(field in message)) return
        child.off('message', onMessage)
        child.off('exit', onExit)
        resolve((message as Record<string, T>)[field]!)
      }
      const onExit = () => {
        child.off('message', onMessage)
        reject(
          new BenchError(
            'BENCH_CHILD_ENDED',
            `${this.name} ended before it sent "${field}":\n${this.output}`,
          ),
        )
      }
      child.on('message', onMessage)
      child.once('exit', onExit)
    })
  }

  async stop(): Promise<void> {
    if (this.exited) return
    const ended = once(this.process, 'exit')
    this.process.kill('SIGTERM')
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 2000)
    await ended
    clearTimeout(timer)
  }
}

function killAll(): void {
  for (const child of running) child.process.kill('SIGKILL')
}
process.on('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll()
    process.exit(130)
  })
}

function descendants(pid: number): number[] {
  const parents = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = Number(statFields(Number(name))?.[1])
    if (parent) parents.set(parent, [...(parents.get(parent) ?? []), Number(name)])
  }
  const found: number[] = []
  const walk = (id: number) => {
    for (const child of parents.get(id) ?? []) {
      found.push(child)
      walk(child)
    }
  }
  walk(pid)
  return found
}

/** /proc/<pid>/stat from the state on, so that names with spaces do no harm. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

const TICK_MS = 10

/** CPU milliseconds of these processes with all their threads; 0 where there is no /proc. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = statFields(pid)
    return fields ? sum + (Number(fields[11]) + Number(fields[12])) * TICK_MS : sum
  }, 0)
}

/** Milliseconds in which the machine's own host let somebody else run although a core here was wanted. */
export function stolenMs(): number {
  try {
    const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]!
    return Number(line.split(/\s+/)[8] ?? 0) * TICK_MS
  } catch {
    return 0
  }
}

/** Resident bytes now, and at most since each started. */
export function memory(pids: readonly number[]): { rss: number; peak: number } {
  let rss = 0
  let peak = 0
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/status`, 'latin1')
      rss += 1024 * Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0)
      peak += 1024 * Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0)
    } catch {}
  }
  return { rss, peak }
}

/** Resolves once something listens on the port; rejects with the child's output when it ends first. */
export async function listening(child: Child, port: number, withinMs = 15_000): Promise<void> {
  const until = performance.now() + withinMs
  while (performance.now() < until) {
    if (child.exited)
      throw new BenchError('BENCH_PEER_ENDED', `${child.name} did not start:\n${child.output}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new BenchError('BENCH_PEER_SILENT', `${child.name} does not listen on port ${port}:\n${child.output}`)
}

/** A Debian program, or an error that says how to get it. */
export function need(name: string, debianPackage = name): string {
  const found = findProgram(name)
  if (!found)
    throw new BenchError(
      'BENCH_PROGRAM_MISSING',
      `${name} is missing; install it with: apt-get install -y ${debianPackage}`,
    )
  return found
}

/** Installs what is missing when that is possible without asking: Debian, and root. */
export async function provide(packages: Readonly<Record<string, string>>): Promise<void> {
  const missing = Object.entries(packages)
    .filter(([program]) => !findProgram(program))
    .map(([, name]) => name)
  if (missing.length === 0) return
  const apt = findProgram('apt-get')
  if (!apt || process.getuid?.() !== 0) {
    throw new BenchError(
      'BENCH_PROGRAM_MISSING',
      `missing programs; install them with: sudo apt-get install -y ${missing.join(' ')}`,
    )
  }
  process.stderr.write(`Installing ${missing.join(' ')} …\n`)
  const child = new Child('apt-get', [apt, 'install', '-y', '--no-install-recommends', ...missing], {
    core: undefined,
  })
  const [code] = await once(child.process, 'exit')
  if (code !== 0)
    throw new BenchError(
      'BENCH_PROGRAM_MISSING',
      `apt-get install ${missing.join(' ')} failed:\n${child.output}`,
    )
}
