/**
 * Attackers of one lab as a process: each request on a connection of its own, at a steady rate whatever
 * becomes of them. Takes a plan over IPC, sends the result, ends when its parent does.
 */
import { connect } from 'node:net'
import { lab } from '../load/lab-only.ts'
import { bounded } from '../load/loopback-only.ts'

export interface FloodPlan {
  readonly to: string
  readonly port: number
  readonly from: readonly string[]
  readonly perSecond: number
  readonly seconds: number
  /** Longest wait for anything. */
  readonly patienceMs: number
}

export interface FloodResult {
  readonly attempts: number
  /** Status of the answer, `closed` without one, `silence`, or the error's code. */
  readonly outcomes: Readonly<Record<string, number>>
}

const REQUEST = Buffer.from(
  'GET /search?q=a HTTP/1.1\r\nHost: bench.example.org\r\nUser-Agent: flood\r\nAccept: */*\r\n\r\n',
)

function flood(plan: FloodPlan): Promise<FloodResult> {
  bounded({
    sources: plan.from.length,
    seconds: plan.seconds,
    perSecond: plan.perSecond,
    connections: Math.ceil((plan.perSecond * plan.patienceMs) / 1000),
  })
  const to = lab(plan.to)
  for (const address of plan.from) lab(address)
  const outcomes: Record<string, number> = {}
  let attempts = 0
  let open = 0

  const fire = (from: string) => {
    attempts++
    open++
    let outcome = 'closed'
    const socket = connect({ host: to, port: plan.port, localAddress: from, noDelay: true })
    const timer = setTimeout(() => {
      outcome = 'silence'
      socket.destroy()
    }, plan.patienceMs)
    socket.once('connect', () => socket.write(REQUEST))
    socket.once('data', (data) => {
      outcome = data.toString('latin1', 9, 12)
      socket.destroy()
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      outcome = error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'closed' : (error.code ?? 'error')
    })
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      clearTimeout(timer)
      open--
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    })
  }

  return new Promise((resolve) => {
    const beganMs = performance.now()
    let next = 0
    const timer = setInterval(() => {
      const elapsedS = (performance.now() - beganMs) / 1000
      if (elapsedS >= plan.seconds) {
        if (open > 0) return
        clearInterval(timer)
        resolve({ attempts, outcomes })
        return
      }
      // After a stall a tenth of a second is caught up at most; the rest shows as fewer attempts.
      const due = Math.floor(elapsedS * plan.perSecond) - attempts
      for (let i = Math.min(due, Math.ceil(plan.perSecond / 10)); i > 0; i--)
        fire(plan.from[next++ % plan.from.length]!)
    }, 1)
  })
}

process.on('disconnect', () => process.exit(0))
process.on('message', async (plan: FloodPlan) => process.send?.({ result: await flood(plan) }))
process.send?.({ ready: true })
