/** The real command line as child processes, before a real origin. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname

export interface Finished {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Gone with the test file. Short: a socket's path must fit 107 bytes. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'digue-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function start(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, ['-C', 'source', MAIN, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs a command to its end. */
export async function digue(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Finished> {
  const child = start(args, environment)
  let out = ''
  let err = ''
  child.stdout!.on('data', (data) => (out += data))
  child.stderr!.on('data', (data) => (err += data))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

export interface Running {
  readonly port: number
  readonly child: ChildProcess
  /** All JSON lines so far. */
  readonly lines: readonly Record<string, unknown>[]
  /** The first line, past or to come, for which `is` holds. */
  line(is: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
  /** SIGTERM; the exit code. */
  stop(): Promise<number | null>
}

/** `digue run …`, serving. */
export async function running(args: readonly string[]): Promise<Running> {
  const child = start(['run', ...args])
  const lines: Record<string, unknown>[] = []
  let waiters: ((line: Record<string, unknown>) => void)[] = []
  let rest = ''
  let err = ''
  child.stderr!.on('data', (data) => (err += data))
  child.stdout!.setEncoding('utf8').on('data', (data: string) => {
    const parts = (rest + data).split('\n')
    rest = parts.pop()!
    for (const part of parts) {
      const line = JSON.parse(part) as Record<string, unknown>
      lines.push(line)
      for (const waiter of [...waiters]) waiter(line)
    }
  })
  const ended = once(child, 'close') as Promise<[number | null]>
  after(() => child.kill('SIGKILL'))
  const line = (is: (line: Record<string, unknown>) => boolean) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const past = lines.find(is)
      if (past) return resolve(past)
      const waiter = (one: Record<string, unknown>) => {
        if (!is(one)) return
        waiters = waiters.filter((other) => other !== waiter)
        resolve(one)
      }
      waiters.push(waiter)
      void ended.then(([code]) => reject(new Error(`digue ended with ${code}\n${err}`)))
    })
  const serving = await line((one) => one['msg'] === 'serving')
  return {
    port: (serving['ports'] as number[])[0]!,
    child,
    lines,
    line,
    async stop() {
      child.kill('SIGTERM')
      const [code] = await ended
      return code
    },
  }
}

export interface Origin {
  readonly url: string
  readonly server: Server
}

export async function startOrigin(listener: RequestListener): Promise<Origin> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

export interface Answer {
  readonly status: number
  readonly body: string
}

export function get(port: number, path = '/', fields: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, headers: { host: 'a.example.org', ...fields }, agent: false },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (data: string) => (body += data))
        response.on('end', () => resolve({ status: response.statusCode!, body }))
        response.on('error', reject)
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}
