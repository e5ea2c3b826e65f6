/**
 * The page's half of the solver: hands parts out to workers, collects nonces, and helps itself where
 * there are no workers.
 *
 * Three things can be missing, by age of the browser or by a policy: workers, WebAssembly, its SIMD. Each
 * is tried, and what does not work is gone around; plain JavaScript in the page's own thread, in slices that leave
 * the page usable, works everywhere. The module is compiled once, here, and given to the workers:
 * they then share its code, optimised code included.
 */
import { maskOf, type Search, swapped, wordsOf } from './blake2s.ts'
import type { Browser, Clock, WorkerLike } from './browser.ts'
import { wasmModule } from './kernel-wasm.ts'
import { type Job, type Means, searchBy } from './worker.ts'

export interface SolveOptions {
  /** The challenge's last field: 16 bytes in base64url. */
  readonly mac: string
  /** 16 bytes in base64url; `digueSolve.seed()` makes one. */
  readonly seed: string
  readonly bits: number
  /** First part to solve; 0 when absent. */
  readonly from?: number
  /** First part not to solve. */
  readonly until: number
  /** Once per part, in any order. `nonce` is unsigned; `doneParts` counts the parts found by this call. */
  readonly onPart?: (index: number, nonce: number, doneParts: number) => void
  readonly signal?: { addEventListener(type: 'abort', listener: () => void): void; readonly aborted: boolean }
}

export interface Solving {
  /** Goes on to a higher price, at once or after all parts are done; a lower one changes nothing. */
  raise(until: number): void
  /** Ends the workers. Nothing is called afterwards. */
  stop(): void
  /** The nonces found without a gap from `from` on, in base64url, and their number. */
  proof(): { readonly parts: number; readonly nonces: string }
  /** How it is solved: `worker` or `page`, and `simd`, `wasm` or `js`; `starting` until that is known. */
  means(): string
}

/** A frame or two, so that the page stays usable; longer where nobody looks. */
const SLICE_MS = 20
const HIDDEN_SLICE_MS = 200
/** A worker that has not run by then will not. */
const WORKERS_DUE_MS = 5000
const MOST_WORKERS = 4
/** Nonces in one call of the page's own search. */
const LEAST_STRIDE = 64
const MOST_STRIDE = 16384

export function bytesOf(browser: Browser, text: string): Uint8Array {
  const raw = browser.atob(text.replace(/-/g, '+').replace(/_/g, '/'))
  return Uint8Array.from(raw, (char) => char.charCodeAt(0))
}

export function textOf(browser: Browser, bytes: Iterable<number>): string {
  return browser
    .btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=/g, '')
}

export function newSeed(browser: Browser): string {
  const bytes = new Uint8Array(16)
  browser.crypto.getRandomValues(bytes)
  return textOf(browser, bytes)
}

/** A worker and the part it has in hand. */
interface Hand {
  readonly worker: WorkerLike
  job: Job | undefined
}

/** What of WebAssembly is to be had here; told at once or later, exactly once. */
function findMeans(browser: Browser, tell: (means: Means) => void): void {
  const none = () => tell({ simd: false })
  try {
    const wasm = browser.WebAssembly!
    const simd = wasm.validate(wasmModule(true))
    // A policy without 'wasm-unsafe-eval' forbids this, by an exception or by a rejection.
    wasm.compile(wasmModule(simd)).then((module) => tell({ module, simd }), none)
  } catch {
    none()
  }
}

export function solve(
  browser: Browser,
  { nowMs, later }: Clock,
  workerSource: string,
  options: SolveOptions,
): Solving {
  const { from = 0, onPart, signal } = options
  const mac = bytesOf(browser, options.mac)
  const seed = bytesOf(browser, options.seed)
  const mask = maskOf(options.bits)
  const nonces: number[] = []
  let until = options.until
  let next = from
  let doneParts = 0
  let stopped = false
  let means: Means | undefined
  let hands: Hand[] = []
  /** Jobs of workers that failed. */
  const dropped: Job[] = []
  let anyRuns = false
  let url = ''
  /** Set once the page has to do it itself. */
  let search: Search | undefined
  let stride = LEAST_STRIDE
  let mine: Job | undefined
  let start = 0
  let turning = false

  function nextJob(): Job | undefined {
    if (dropped.length) return dropped.pop()
    if (next >= until) return undefined
    const index = next++
    return { index, words: wordsOf(mac, seed, index), mask }
  }

  /** Everybody gets to work; called whenever there may be a part or somebody free. */
  function go(): void {
    if (stopped || !means) return
    for (const hand of hands) {
      if (hand.job) continue
      hand.job = nextJob()
      if (!hand.job) return
      hand.worker.postMessage(hand.job)
    }
    if (!hands.length && !turning) {
      search ||= searchBy(browser.WebAssembly, means)
      turning = true
      later(turn, 0)
    }
  }

  // The page's code comes last: what it throws holds up nothing.
  function tell(index: number, word: number): void {
    nonces[index - from] = swapped(word)
    doneParts++
    go()
    if (onPart) onPart(index, swapped(word), doneParts)
  }

  function turn(): void {
    const endMs = nowMs() + (browser.document.hidden ? HIDDEN_SLICE_MS : SLICE_MS)
    let beforeMs = nowMs()
    while (beforeMs < endMs) {
      if (!mine) {
        mine = nextJob()
        start = 0
      }
      if (!mine || stopped) {
        turning = false
        return
      }
      const found = search!(mine.words, start, stride, mask)
      if (found >= 0) {
        const { index } = mine
        mine = undefined
        later(turn, 0)
        tell(index, start + found)
        return
      }
      start += stride
      const afterMs = nowMs()
      if (afterMs - beforeMs < SLICE_MS / 8 && stride < MOST_STRIDE) stride *= 2
      beforeMs = afterMs
    }
    later(turn, 0)
  }

  function letGo(hand: Hand): void {
    hand.worker.terminate()
    hands = hands.filter((other) => other !== hand)
    if (hand.job) dropped.push(hand.job)
    go()
  }

  function startWorkers(): void {
    url = browser.URL.createObjectURL(new browser.Blob([workerSource], { type: 'text/javascript' }))
    const count = Math.min(MOST_WORKERS, browser.navigator.hardwareConcurrency || 2)
    for (let i = 0; i < count; i++) {
      const hand: Hand = { worker: new browser.Worker!(url), job: undefined }
      hands.push(hand)
      hand.worker.onmessage = ({ data }) => {
        anyRuns = true
        const { job } = hand
        if (!data || !job || stopped) return
        hand.job = undefined
        tell(job.index, data.word)
      }
      // A policy that forbids workers says so here, after the constructor has returned.
      hand.worker.onerror = (event) => {
        event.preventDefault?.()
        letGo(hand)
      }
    }
    later(() => {
      if (!anyRuns && !stopped) hands.forEach(letGo)
    }, WORKERS_DUE_MS)
  }

  function stop(): void {
    stopped = true
    for (const { worker } of hands) worker.terminate()
    if (url) browser.URL.revokeObjectURL(url)
  }

  try {
    startWorkers()
  } catch {}
  findMeans(browser, (found) => {
    means = found
    try {
      for (const { worker } of hands) worker.postMessage(found)
    } catch {
      // A browser that cannot send modules: without word from us, workers use JavaScript.
      means = { simd: false }
    }
    go()
  })
  if (signal) {
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop)
  }

  return {
    raise(to) {
      if (to > until) until = to
      go()
    },
    stop,
    proof() {
      const bytes: number[] = []
      let parts = 0
      for (; nonces[parts] !== undefined; parts++) {
        const nonce = nonces[parts]!
        bytes.push(nonce >>> 24, (nonce >>> 16) & 255, (nonce >>> 8) & 255, nonce & 255)
      }
      return { parts, nonces: textOf(browser, bytes) }
    },
    means() {
      if (!means) return 'starting'
      return `${hands.length ? 'worker' : 'page'} ${means.module ? (means.simd ? 'simd' : 'wasm') : 'js'}`
    },
  }
}
