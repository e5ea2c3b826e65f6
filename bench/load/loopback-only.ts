/**
 * The generator's guard: a load tool that can only ever hit the machine it runs on.
 *
 * Every target and every source address goes through `loopback`, and every plan through `bounded`,
 * in the process that opens the sockets (not only in the one that reads the options), so no flag,
 * no file and no host name can aim it elsewhere. Names are not resolved: "localhost" is refused too.
 */
import { isIPv4 } from 'node:net'

export class NotLoopbackError extends Error {
  readonly code = 'BENCH_NOT_LOOPBACK'
}

export class PlanTooLargeError extends Error {
  readonly code = 'BENCH_PLAN_TOO_LARGE'
}

/** Most that one plan may ask for; the bench needs about half of it. */
export const BOUNDS = {
  sources: 1_100_000,
  seconds: 900,
  perSecond: 50_000,
  connections: 18_000,
} as const

/** `address`, when it is a literal in 127.0.0.0/8 or ::1; throws NotLoopbackError for anything else. */
export function loopback(address: unknown): string {
  if (typeof address === 'string' && (address === '::1' || (isIPv4(address) && address.startsWith('127.')))) {
    return address
  }
  throw new NotLoopbackError(
    `target and sources: expected an address in 127.0.0.0/8 or ::1, got ${JSON.stringify(address)}`,
  )
}

export interface PlanSize {
  readonly sources: number
  readonly seconds: number
  readonly perSecond: number
  readonly connections: number
}

/** Throws PlanTooLargeError unless every number is within BOUNDS. */
export function bounded(plan: PlanSize): void {
  for (const name of Object.keys(BOUNDS) as (keyof PlanSize)[]) {
    const value = plan[name]
    if (!(value >= 0 && value <= BOUNDS[name])) {
      throw new PlanTooLargeError(`plan.${name}: expected 0 to ${BOUNDS[name]}, got ${value}`)
    }
  }
}
