/**
 * Added latency: requests at a steady, moderate rate over kept connections, each timed from its last
 * byte written to the answer's last byte read. The rate is far below what any server here can do, so
 * nothing queues and there is no coordinated omission to correct.
 */
import { connect } from 'node:net'
import { loopback } from './loopback-only.ts'
import { exponential, seeded } from './random.ts'
import { ResponseReader } from './response-reader.ts'

export interface PingPlan {
  readonly role: 'ping'
  readonly address: string
  readonly port: number
  readonly host: string
  readonly perSecond: number
  readonly seconds: number
  readonly connections: number
  readonly seed: number
}

export interface PingResult {
  readonly role: 'ping'
  readonly latencyMs: Float64Array
  readonly bad: number
}

export function ping(plan: PingPlan): Promise<PingResult> {
  const random = seeded(plan.seed)
  const latencies: number[] = []
  let bad = 0
  const free: { send(): void; close(): void }[] = []
  const all: { close(): void }[] = []
  for (let i = 0; i < plan.connections; i++) {
    // One address each: a client is not a crowd.
    const socket = connect({
      host: loopback(plan.address),
      port: plan.port,
      localAddress: loopback(`127.10.1.${1 + (i % 250)}`),
      noDelay: true,
    })
    let sentMs = 0
    const reader = new ResponseReader(
      {
        response(status) {
          latencies.push(performance.now() - sentMs)
          if (status !== 200) bad++
          free.push(link)
        },
      },
      false,
    )
    const link = {
      send() {
        sentMs = performance.now()
        socket.write(
          `GET / HTTP/1.1\r\nHost: ${plan.host}\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n`,
          'latin1',
        )
      },
      close: () => socket.destroy(),
    }
    socket.on('data', (data: Buffer) => reader.feed(data, data.length))
    socket.on('error', () => bad++)
    socket.once('connect', () => free.push(link))
    all.push(link)
  }
  return new Promise((resolve) => {
    const start = performance.now() + 200
    let next = start
    const timer = setInterval(() => {
      const now = performance.now()
      while (next <= now) {
        next += exponential(random, plan.perSecond / 1000)
        const link = free.shift()
        if (link) link.send()
        else bad++
      }
      if (now < start + plan.seconds * 1000) return
      clearInterval(timer)
      setTimeout(() => {
        for (const link of all) link.close()
        resolve({ role: 'ping', latencyMs: Float64Array.from(latencies), bad })
      }, 200)
    }, 1)
  })
}
