/**
 * One end of a lab (bench/lib/lab.ts), told what to do over IPC: listens on ports, or connects from an address of
 * its own. Ends when its parent does.
 */
import { connect, createServer } from 'node:net'

export type LabOrder =
  /** `holds`: takes connections and never answers. */
  | { readonly do: 'listen'; readonly host: string; readonly holds?: boolean }
  /** Asks for as many pages at once, each on a connection of its own; done is how many were answered. */
  | {
      readonly do: 'flood'
      readonly to: string
      readonly port: number
      readonly from: string
      readonly requests: number
    }
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

function listen({ host, holds }: Extract<LabOrder, { do: 'listen' }>): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => {}).resume()
      if (holds !== true) socket.end()
    })
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

async function flood(order: Extract<LabOrder, { do: 'flood' }>): Promise<number> {
  const answers = await Promise.all(Array.from({ length: order.requests }, () => isAnswered(order)))
  return answers.filter(Boolean).length
}

function isAnswered(order: Extract<LabOrder, { do: 'flood' }>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: order.to, port: order.port, localAddress: order.from })
    let answered = false
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('connect', () => socket.write('GET / HTTP/1.1\r\nhost: a.example.org\r\n\r\n'))
    socket.on('data', () => {
      answered = true
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answered))
  })
}

process.on('disconnect', () => process.exit(0))
process.on('message', async (order: LabOrder) => {
  const done =
    order.do === 'listen'
      ? await listen(order)
      : order.do === 'flood'
        ? await flood(order)
        : Number(await isReached(order))
  process.send?.({ done } satisfies LabAnswer)
})
process.send?.({ ready: true })
