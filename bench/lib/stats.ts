/** The few statistics that the tables need, each with its interval. */
import { seeded } from '../load/random.ts'

/** Quantile q (0 to 1) of unsorted values, by linear interpolation; NaN when there are none. */
export function quantile(values: readonly number[] | Float64Array, q: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = Float64Array.from(values).sort()
  const at = q * (sorted.length - 1)
  const low = Math.floor(at)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low)
}

export const median = (values: readonly number[]) => quantile(values, 0.5)

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Wilson score interval at 95 % for `hits` of `n`. */
export function wilson(hits: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 }
  const z = 1.959964
  const p = hits / n
  const scale = 1 + (z * z) / n
  const centre = p + (z * z) / (2 * n)
  const half = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n))
  return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }
}

/** A goal of 1 − ε needs at least 3/ε requests to be shown (the rule of three). */
export function requestsToShow(goal: number): number {
  return Math.ceil(3 / (1 - goal) - 1e-6)
}

/** Percentile bootstrap of the median at 95 %, resampling whole pairs; seeded, so that it repeats. */
export function medianInterval(values: readonly number[], rounds = 2000): Interval {
  if (values.length === 0) return { low: Number.NaN, high: Number.NaN }
  const random = seeded(4)
  const medians: number[] = []
  for (let i = 0; i < rounds; i++) {
    medians.push(median(Array.from(values, () => values[Math.floor(random() * values.length)]!)))
  }
  return { low: quantile(medians, 0.025), high: quantile(medians, 0.975) }
}

/** Jain's index: 1 when all get the same, 1/n when one gets everything. */
export function fairness(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0)
  const squares = shares.reduce((a, b) => a + b * b, 0)
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares)
}
