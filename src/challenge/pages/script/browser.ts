/**
 * What the page's script asks of a browser, and only that: the compiler knows no DOM here, and whatever an
 * old browser may lack can be undefined.
 */
import type { SolveOptions, Solving } from '../../solver/solve.ts'

export interface PageElement {
  hidden: boolean
  textContent: string | null
  readonly dataset: Readonly<Record<string, string | undefined>>
}

/** What leads on: a link to what was asked for, the form that was sent, or nothing but the facts. */
export interface OnwardElement extends PageElement {
  readonly href?: string
  action?: string
  submit?(): void
}

export interface PageWindow {
  readonly document: {
    readonly documentElement: { readonly lang: string }
    getElementById(id: string): PageElement | null
  }
  readonly location: {
    readonly pathname: string
    readonly search: string
    readonly hash: string
    replace(url: string): void
    reload(): void
  }
  readonly history: {
    readonly state: unknown
    replaceState(state: unknown, title: string, url: string): void
  }
  readonly navigator: { readonly cookieEnabled: boolean }
  /** Throws where storage is forbidden. */
  readonly sessionStorage: { getItem(key: string): string | null; setItem(key: string, value: string): void }
  /** Survives a reload in the same tab, also where storage is forbidden. */
  name: string
  readonly fetch?: (
    url: string,
    options: { readonly cache: 'no-store'; readonly credentials: 'same-origin' },
  ) => Promise<{ json(): Promise<unknown> }>
  readonly digueSolve?: { (options: SolveOptions): Solving; seed(): string }
  stop(): void
  addEventListener(type: 'load' | 'pagehide', listener: () => void): void
}

export interface Clock {
  readonly nowMs: () => number
  readonly later: (work: () => void, ms: number) => unknown
}
