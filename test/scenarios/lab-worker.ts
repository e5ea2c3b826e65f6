/**
 * One end of a lab (bench/lib/lab.ts), told what to do over IPC: listens on ports, or connects from an address of
 * its own. Ends when its parent does.
 */
import { connect, createServer } from 'node:net'

export type LabOrder =
  | { readonly do: 'listen'; readonly host: string }
  | {
      readonly do: 'connect'
      readonly to: string
      readonly port: number
      readonly from: string
      readonly withinMs: number
    }

export interface LabAnswer {
  /** The port that was opened, or 1 for a connection that came about and 0 for one that did not. */
  readonly done: number
}

function listen(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.on('error', () => {}).end())
    server.once('error', reject)
    server.listen(0, host, () => resolve((server.address() as { port: number }).port))
  })
}

function isReached(order: Extract<LabOrder, { do: 'connect' }>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: order.to, port: order.port, localAddress: order.from })
    const end = (reached: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(reached)
    }
    const timer = setTimeout(() => end(false), order.withinMs)
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

process.on('disconnect', () => process.exit(0))
process.on('message', async (order: LabOrder) => {
  const done = order.do === 'listen' ? await listen(order.host) : Number(await isReached(order))
  process.send?.({ done } satisfies LabAnswer)
})
process.send?.({ ready: true })
