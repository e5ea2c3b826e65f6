/**
 * What the main process says to the helper, one line of JSON each, and what comes back. The helper trusts
 * nobody: a line is bounded, its shape is checked here, and each address by the table's guard.
 */
import { type DropResult, LONGEST_S, SHORTEST_S, type TableEvent, type TableStatus } from './drop-table.ts'

export const MOST_ADDRESSES = 1000
export const MOST_LINE = 65_536
const LONGEST_ADDRESS = 64

export type HelperRequest =
  | { readonly id: number; readonly drop: readonly string[]; readonly seconds: number }
  | { readonly id: number; readonly release: readonly string[] | 'all' }
  | { readonly id: number; readonly status: true }

export type HelperMessage =
  | { readonly id: number; readonly dropped: DropResult }
  | { readonly id: number; readonly released: number }
  | { readonly id: number; readonly status: TableStatus }
  | { readonly event: TableEvent }
  | { readonly error: string }

/** The request, or what is wrong with it. */
export function readRequest(line: string): HelperRequest | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return 'expected one line of JSON'
  }
  if (typeof value !== 'object' || value === null) return 'expected an object'
  const { id, drop, seconds, release, status } = value as Partial<Record<string, unknown>>
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) return 'id: expected a whole number'
  if (drop !== undefined) {
    if (!isTexts(drop)) return `drop: expected at most ${MOST_ADDRESSES} addresses`
    if (
      typeof seconds !== 'number' ||
      !Number.isInteger(seconds) ||
      seconds < SHORTEST_S ||
      seconds > LONGEST_S
    )
      return `seconds: expected a whole number from ${SHORTEST_S} to ${LONGEST_S}`
    return { id, drop, seconds }
  }
  if (release !== undefined) {
    if (release === 'all' || isTexts(release)) return { id, release }
    return `release: expected "all" or at most ${MOST_ADDRESSES} networks`
  }
  return status === true ? { id, status } : 'expected drop, release or status'
}

function isTexts(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= MOST_ADDRESSES &&
    value.every((text) => typeof text === 'string' && text.length <= LONGEST_ADDRESS)
  )
}

/** Splits what comes into lines; undefined as soon as one is too long. */
export class Lines {
  #rest = ''

  push(chunk: string): string[] | undefined {
    const parts = (this.#rest + chunk).split('\n')
    this.#rest = parts.pop()!
    if (this.#rest.length > MOST_LINE || parts.some((line) => line.length > MOST_LINE)) return undefined
    return parts
  }
}
