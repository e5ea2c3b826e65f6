/**
 * Hashes in one thread of a real Chromium. Rates are per second of the CPU time of all its processes
 * while one worker is at it, so that whatever else runs on the machine does not count.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import { SOLVER } from '#challenge'
import { tempFolder } from '../lib/place.ts'
import { freePorts } from '../lib/ports.ts'
import { BenchError, Child, cpuMs, listening, need } from '../lib/processes.ts'

/** CPU time of one measurement: enough that ticks of 10 ms and the idle browser do not matter. */
const ROUND_MS = 1000

/** How a browser can be poorer than usual: script that takes it away before ours runs. */
export const LACKS = {
  'worker simd': '',
  'worker wasm': 'WebAssembly.validate = () => false',
  'worker js': 'delete self.WebAssembly',
  'page simd': 'delete self.Worker',
  'page js': 'delete self.Worker; delete self.WebAssembly',
} as const
export type Means = keyof typeof LACKS

export interface Bid {
  readonly means: string
  readonly ms: number
  readonly hashes: number
}

export class BenchBrowser {
  readonly #child: Child
  readonly #browser: Browser
  readonly #libraries: string

  private constructor(child: Child, browser: Browser, libraries: string) {
    this.#child = child
    this.#browser = browser
    this.#libraries = libraries
  }

  static async start(): Promise<BenchBrowser> {
    const [port] = (await freePorts(1)) as [number]
    const child = new Child(
      'chromium',
      [
        need('chromium'),
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        `--remote-debugging-port=${port}`,
        `--user-data-dir=${tempFolder()}`,
        'about:blank',
      ],
      { core: undefined },
    )
    await listening(child, port)
    const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`)
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, 'libraries.ts')],
      bundle: true,
      write: false,
      format: 'iife',
    })
    return new BenchBrowser(child, browser, outputFiles[0]!.text)
  }

  get version(): string {
    return this.#browser.version()
  }

  async stop(): Promise<void> {
    await this.#browser.close()
    await this.#child.stop()
  }

  async #page(early = ''): Promise<Page> {
    const page = await this.#browser.contexts()[0]!.newPage()
    await page.goto('about:blank')
    if (early) await page.evaluate(early)
    return page
  }

  /** Million hashes per CPU second, `rounds` times, of work that grows until it takes long enough. */
  async #rates(rounds: number, first: number, work: (count: number) => Promise<number>): Promise<number[]> {
    const rates: number[] = []
    let count = first
    // Thrown away: compiling, warming up, finding a count that takes a second.
    for (;;) {
      const before = cpuMs(this.#child.pids())
      await work(count)
      const took = cpuMs(this.#child.pids()) - before
      if (took > ROUND_MS / 2) break
      count = Math.ceil(count * Math.min(10, Math.max(2, ROUND_MS / Math.max(1, took))))
    }
    while (rates.length < rounds) {
      const before = cpuMs(this.#child.pids())
      const hashes = await work(count)
      rates.push(hashes / (cpuMs(this.#child.pids()) - before) / 1000)
    }
    return rates
  }

  async #inWorker(rounds: number, first: number, source: string, ask: (count: number) => string) {
    const page = await this.#page()
    try {
      await page.evaluate(
        `self.worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(source)}])))`,
      )
      return await this.#rates(rounds, first, (count) =>
        page.evaluate<number>(
          `new Promise((resolve, reject) => {
             worker.onmessage = ({ data }) => resolve(data)
             worker.onerror = ({ message }) => reject(new Error(message))
             worker.postMessage(${ask(count)})
           })`,
        ),
      )
    } finally {
      await page.close()
    }
  }

  /** A module that exports `search` and `where`. */
  async wasm(file: string, rounds: number): Promise<{ found: number; rates: number[] }> {
    const source = `
      const bytes = Uint8Array.from(atob('${readFileSync(file, 'base64')}'), (c) => c.charCodeAt(0))
      const ready = WebAssembly.instantiate(bytes).then(({ instance: { exports } }) => {
        new Uint32Array(exports.memory.buffer, exports.where(), 9).set(Array.from({ length: 9 }, (_, i) => Math.imul(i + 1, 0x9e3779b1)))
        return exports.search
      })
      onmessage = async ({ data }) => {
        const search = await ready
        if (data === 0) return postMessage(search(0, 1 << 22, 0xffff))
        for (let i = 0; i < data; i += 65536) search(i, 65536, -1)
        postMessage(data)
      }`
    const rates = await this.#inWorker(rounds, 1 << 22, source, (count) => {
      return String((count + 65535) & ~65535)
    })
    const page = await this.#page()
    const found = await page.evaluate<number>(
      `new Promise((resolve) => {
         const worker = new Worker(URL.createObjectURL(new Blob([${JSON.stringify(source)}])))
         worker.onmessage = ({ data }) => resolve(data)
         worker.postMessage(0)
       })`,
    )
    await page.close()
    return { found, rates }
  }

  library(name: string, rounds: number): Promise<number[]> {
    return this.#inWorker(rounds, 1000, this.#libraries, (count) => JSON.stringify({ name, count }))
  }

  /** Digue's solver as pages carry it, with one worker. */
  async solver(means: Means, rounds: number, bits: number): Promise<number[]> {
    const page = await this.#page(LACKS[means])
    try {
      await page.evaluate("Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 1 })")
      await page.evaluate(SOLVER)
      return await this.#rates(rounds, 4, async (parts) => {
        const bid = await solveIn(page, Math.min(4096, parts), bits)
        if (bid.means !== means)
          throw new BenchError('BENCH_PUZZLE_WRONG', `expected ${means}, got ${bid.means}`)
        return bid.hashes
      })
    } finally {
      await page.close()
    }
  }

  /** From the script's arrival to its last part, in a page of its own, by the clock. */
  async bid(
    means: Means,
    options: { readonly parts: number; readonly bits: number; readonly throttled: number },
  ): Promise<Bid> {
    const page = await this.#page(LACKS[means])
    try {
      const session = await page.context().newCDPSession(page)
      await session.send('Emulation.setCPUThrottlingRate', { rate: options.throttled })
      return await solveIn(page, options.parts, options.bits, SOLVER)
    } finally {
      await page.close()
    }
  }
}

/** Solves and tells how many hashes that took: nonces are tried in order, so they tell it. */
function solveIn(page: Page, parts: number, bits: number, first = ''): Promise<Bid> {
  return page.evaluate<Bid>(
    `new Promise((resolve) => {
      const before = performance.now()
      let hashes = 0
      ;${first}
      const solving = digueSolve({ mac: digueSolve.seed(), seed: digueSolve.seed(), bits: ${bits}, until: ${parts},
        onPart(index, nonce, done) {
          const n = nonce
          hashes += ((n << 24 | (n & 0xff00) << 8 | n >>> 8 & 0xff00 | n >>> 24) >>> 0) + 1
          if (done < ${parts}) return
          const ms = performance.now() - before
          const means = solving.means()
          solving.stop()
          resolve({ means, ms, hashes })
        } })
    })`,
  )
}
