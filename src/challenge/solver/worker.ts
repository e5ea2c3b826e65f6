/** One thread of the solver: gets a part, searches until it has found it, tells, gets the next. */
import type { Search } from './blake2s.ts'
import type { WasmApi, WasmModule } from './browser.ts'
import { searchInJavaScript } from './kernel-javascript.ts'
import { searchInWasm } from './kernel-wasm.ts'

/** First message to a worker: how to search. Without a module, in JavaScript. */
export interface Means {
  readonly module?: WasmModule
  readonly simd: boolean
}

/** Every other message to a worker. */
export interface Job {
  readonly index: number
  readonly words: Int32Array
  readonly mask: number
}

/** A worker's answer to a job. Its very first message is `undefined`: "I run". */
export interface Found {
  readonly word: number
}

export interface WorkerScope {
  readonly WebAssembly?: WasmApi
  onmessage: ((event: { readonly data: Means | Job }) => void) | null
  postMessage(message: Found | undefined): void
}

/**
 * Nonces per call. Short, because an engine swaps in its optimised code only when a function is
 * called again; long enough that filling the schedule costs nothing.
 */
const STRIDE = 8192

export function searchBy(wasm: WasmApi | undefined, { module, simd }: Means): Search {
  try {
    if (wasm && module) return searchInWasm(wasm, module, simd)
  } catch {}
  return searchInJavaScript
}

export function runWorker(scope: WorkerScope): void {
  let search: Search = searchInJavaScript
  scope.onmessage = ({ data }) => {
    if ('simd' in data) {
      search = searchBy(scope.WebAssembly, data)
      return
    }
    for (let start = 0; ; start += STRIDE) {
      const found = search(data.words, start, STRIDE, data.mask)
      if (found >= 0) return scope.postMessage({ word: start + found })
    }
  }
  scope.postMessage(undefined)
}
