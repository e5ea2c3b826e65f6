/** wrk and h2load, run on the load's core, and what they print. */
import { once } from 'node:events'
import { BenchError, Child, CORES, need } from './processes.ts'

export interface ToolResult {
  readonly requests: number
  readonly perSecond: number
  /** Answers that were not 2xx or 3xx, and requests that got none. */
  readonly bad: number
}

async function output(name: string, args: readonly string[]): Promise<string> {
  const child = new Child(name, [need(name, name === 'h2load' ? 'nghttp2-client' : name), ...args], {
    core: CORES?.load,
  })
  const [code] = await once(child.process, 'close')
  if (code !== 0)
    throw new BenchError('BENCH_TOOL_FAILED', `${name} ${args.join(' ')}: exit ${code}\n${child.output}`)
  return child.output
}

export function parseWrk(text: string): ToolResult {
  const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? Number.NaN)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)
  const non2xx = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0)
  const socket = errors ? errors.slice(1).reduce((sum, n) => sum + Number(n), 0) : 0
  return {
    requests,
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? Number.NaN),
    bad: non2xx + socket,
  }
}

export function parseH2load(text: string): ToolResult {
  const counts = /requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded/.exec(text)
  const done = Number(counts?.[2] ?? Number.NaN)
  return {
    requests: done,
    perSecond: Number(/finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(text)?.[1] ?? Number.NaN),
    bad: done - Number(counts?.[3] ?? Number.NaN),
  }
}

export async function wrk(url: string, seconds: number, connections: number): Promise<ToolResult> {
  return parseWrk(
    await output('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-H', 'Host: bench.example.org', url]),
  )
}

export async function h2load(
  url: string,
  seconds: number,
  connections: number,
  streams: number,
): Promise<ToolResult> {
  return parseH2load(
    await output('h2load', [
      '-t1',
      `-c${connections}`,
      `-m${streams}`,
      `-D${seconds}`,
      '-H',
      ':authority: bench.example.org',
      url,
    ]),
  )
}
