/**
 * What the script knows over a reload of its page, in the same tab: parts that are solved already, and
 * tries that failed. In sessionStorage; where that is forbidden, in the window's name, which is ours to
 * take as long as nobody else uses it.
 */
import type { PageWindow } from './browser.ts'

export interface Memory {
  tries: number
  failedMs: number
  /** When the price was last paid, and for which page. */
  paidMs: number
  paidFor: string
  /** '' when nothing is begun. */
  challenge: string
  bits: number
  seed: string
  /** Of the parts from 0 on, a multiple of three; base64url. */
  nonces: string
}

const KEY = 'digue'

export function recall(window: PageWindow): Memory {
  const nothing = {
    tries: 0,
    failedMs: 0,
    paidMs: 0,
    paidFor: '',
    challenge: '',
    bits: 0,
    seed: '',
    nonces: '',
  }
  try {
    return Object.assign(nothing, JSON.parse(read(window)!))
  } catch {
    return nothing
  }
}

export function keep(window: PageWindow, memory: Memory): void {
  const text = JSON.stringify(memory)
  try {
    window.sessionStorage.setItem(KEY, text)
  } catch {
    if (!window.name || window.name.startsWith(KEY)) window.name = KEY + text
  }
}

function read(window: PageWindow): string | null {
  try {
    return window.sessionStorage.getItem(KEY)
  } catch {
    return window.name.startsWith(KEY) ? window.name.slice(KEY.length) : null
  }
}
