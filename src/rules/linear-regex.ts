/**
 * Regular expressions whose cost is bounded by the text's length, whatever a client sends.
 *
 * JavaScript's own engine backtracks: `(a+)+$` over 30 letters takes seconds. RE2's algorithm (Cox, "Regular
 * Expression Matching Can Be Simple And Fast", 2007) walks all possibilities at once, in time proportional to text × program; re2js is its
 * port. Proportional is not cheap: `(?:.*a.{20}){4}$` over 2 kB of a and b takes 8 ms, for every possibility that is
 * open costs at each character. So text × program is bounded, and what counted repetitions add to a program; the worst that was
 * found within the bounds takes 3 ms, most take microseconds (README.md).
 */
import { createRequire } from 'node:module'

/** Characters of a text that are looked at, by a program that is not large. */
export const LONGEST_SUBJECT = 2048
/** Characters × instructions: a program of 64 instructions looks at 512 characters. */
const MOST_WORK = 32_768
const LONGEST_PATTERN = 512
/** Instructions of a program. */
const LARGEST_PROGRAM = 128
/** Instructions that counted repetitions may add to it. */
const MOST_BY_COUNTING = 32

/** When there is a first pattern: whoever has none need not load a megabyte. */
const load = createRequire(import.meta.url)
type Library = typeof import('re2js')

export interface LinearRegex {
  /** True where it is found anywhere in as much of the text as is looked at. */
  test(text: string): boolean
}

/** The expression, or what is wrong with it ("expected …"). RE2 syntax. */
export function linearRegex(pattern: string): LinearRegex | { readonly fault: string } {
  if (pattern.length > LONGEST_PATTERN)
    return {
      fault: `expected a regular expression of at most ${LONGEST_PATTERN} characters, got ${pattern.length}`,
    }
  const { RE2JS } = load('re2js') as Library
  let regex: ReturnType<typeof RE2JS.compile>
  try {
    regex = RE2JS.compile(pattern)
  } catch (error) {
    return { fault: `expected a regular expression: ${reason(error as Error)}` }
  }
  const size = regex.programSize()
  if (size > LARGEST_PROGRAM)
    return {
      fault: `expected a regular expression of at most ${LARGEST_PROGRAM} instructions, got ${size}; split it, or list words: ["a", "b"].exists(w, path.contains(w))`,
    }
  const counted = size - sizeWithoutCounts(pattern, RE2JS)
  if (counted > MOST_BY_COUNTING)
    return {
      fault: `expected counted repetitions ({n,m}) that add at most ${MOST_BY_COUNTING} instructions, got ${counted}; write + or *, and compare size() if the length matters`,
    }
  const longest = Math.min(LONGEST_SUBJECT, Math.floor(MOST_WORK / size))
  return { test: (text) => regex.test(text.length > longest ? text.slice(0, longest) : text) }
}

/** 0 when that cannot be told: braces in a character class, say. Then the whole program counts. */
function sizeWithoutCounts(pattern: string, engine: Library['RE2JS']): number {
  try {
    return engine.compile(pattern.replace(/\{\d+(,\d*)?\}\??/g, '')).programSize()
  } catch {
    return 0
  }
}

const LOOK = /\(\?<?[=!]/

function reason({ message }: Error): string {
  const what = message.replace(/^error parsing regexp: /, '')
  if (LOOK.test(what))
    return `${what} (look-ahead and look-behind take unbounded time, so they are not there)`
  if (/invalid escape sequence: `\\[1-9]`/.test(what))
    return `${what} (back references take unbounded time, so they are not there)`
  return what
}
