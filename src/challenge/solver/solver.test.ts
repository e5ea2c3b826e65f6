/** The bundle in a real browser, with everything that a browser may lack or a policy may forbid taken away in turn. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { accessSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Browser, chromium } from 'playwright-core'
import { checkParts } from '../puzzle.ts'
import { SOLVER } from '../solver-bundle.ts'

const executablePath = (process.env['PATH'] ?? '')
  .split(path.delimiter)
  .map((folder) => path.join(folder, 'chromium'))
  .find((file) => {
    try {
      accessSync(file)
      return true
    } catch {
      return false
    }
  })

/** Few, so that JavaScript in one thread takes no time worth mentioning. */
const BITS = 10
const MAC = Buffer.alloc(16, 0xfe)

const WORKERS = "worker-src blob:; script-src 'unsafe-inline' blob:"
const POLICIES = {
  ours: `default-src 'none'; ${WORKERS} 'wasm-unsafe-eval'`,
  'no wasm': `default-src 'none'; ${WORKERS}`,
  'no workers': "default-src 'none'; worker-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'",
  strictest: "default-src 'none'; script-src 'unsafe-inline'",
} as const

/** What a page's script is told, run inside the browser. */
interface Told {
  readonly means: string
  readonly seed: string
  readonly parts: number
  readonly nonces: string
  readonly told: readonly (readonly [index: number, nonce: number, doneParts: number])[]
}

/** Case, policy, script that runs before the page's, how it must end up solving. */
const CASES: readonly (readonly [string, keyof typeof POLICIES, string, string])[] = [
  ['with all it has', 'ours', '', 'worker simd'],
  ['with WebAssembly but no SIMD', 'ours', 'WebAssembly.validate = () => false', 'worker wasm'],
  ['without WebAssembly', 'ours', 'delete self.WebAssembly', 'worker js'],
  ['where policy forbids WebAssembly', 'no wasm', '', 'worker js'],
  ['without workers', 'ours', 'delete self.Worker', 'page simd'],
  ['where policy forbids workers', 'no workers', '', 'page simd'],
  ['where policy forbids both', 'strictest', '', 'page js'],
  ['without workers and WebAssembly', 'ours', 'delete self.Worker; delete self.WebAssembly', 'page js'],
  [
    'that cannot send modules to workers',
    'ours',
    `const post = Worker.prototype.postMessage
     Worker.prototype.postMessage = function (message) {
       if (message && message.module) throw new Error('DataCloneError')
       post.call(this, message)
     }`,
    'worker js',
  ],
]

describe('solver in Chromium', { skip: executablePath ? false : 'needs chromium' }, () => {
  let browser: Browser
  let server: Server
  let origin: string
  let policy: string

  before(async () => {
    server = createServer((_, response) => {
      response.setHeader('content-security-policy', policy)
      response.setHeader('content-type', 'text/html')
      response.end(`<!doctype html><title>t</title><script>${SOLVER}</script>`)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
  })

  after(async () => {
    await browser?.close()
    server?.close()
  })

  /** Runs `script`, the body of an async function of `mac` and `bits`, in a page of its own. */
  async function inPage(kind: keyof typeof POLICIES, early: string, script: string): Promise<Told> {
    policy = POLICIES[kind]
    const page = await browser.newPage()
    try {
      const faults: string[] = []
      page.on('pageerror', (error) => faults.push(error.message))
      if (early) await page.addInitScript(early)
      await page.goto(origin)
      const answer = await page.evaluate<Told>(
        `(async (mac, bits) => { ${script} })('${MAC.toString('base64url')}', ${BITS})`,
      )
      assert.deepEqual(faults, [])
      return answer
    } finally {
      await page.close()
    }
  }

  function assertSolved({ seed, parts, nonces, told }: Told, until: number): void {
    assert.equal(parts, until)
    const bytes = Buffer.from(nonces, 'base64url')
    assert.equal(checkParts(MAC, Buffer.from(seed, 'base64url'), bytes, BITS), until)
    assert.deepEqual(
      told.map(([, , doneParts]) => doneParts),
      Array.from(told, (_, i) => i + 1),
      'parts are counted one by one',
    )
    for (const [index, nonce] of told) assert.equal(bytes.readUInt32BE(4 * index), nonce)
  }

  const SOLVE = `
    const seed = digueSolve.seed()
    const told = []
    let solving
    const result = (means) => ({ means, seed, told, ...solving.proof() })
    const until = (wanted, options) => new Promise((resolve) => {
      solving = digueSolve({ mac, bits, seed, until: wanted, ...options, onPart(...part) {
        told.push(part)
        if (part[2] === wanted) resolve()
      } })
    })`

  for (const [name, kind, early, means] of CASES) {
    test(`a browser ${name} solves in '${means}'`, async () => {
      const answer = await inPage(
        kind,
        early,
        `${SOLVE}
         await until(20)
         const answer = result(solving.means())
         solving.stop()
         return answer`,
      )
      assertSolved(answer, 20)
      assert.equal(answer.told.length, 20)
      assert.equal(answer.means, means)
    })
  }

  for (const [kind, means] of [
    ['ours', 'worker simd'],
    ['strictest', 'page js'],
  ] as const) {
    test(`the price may rise before all parts are found and after (${means})`, async () => {
      const answer = await inPage(
        kind,
        '',
        `${SOLVE}
         const done = (count) => new Promise((resolve) => {
           const timer = setInterval(() => told.length === count && (clearInterval(timer), resolve()), 5)
         })
         until(4)
         solving.raise(8)
         solving.raise(2)
         await done(8)
         solving.raise(12)
         await done(12)
         return result(solving.means())`,
      )
      assertSolved(answer, 12)
      assert.equal(answer.means, means)
    })

    test(`after stop nothing is told (${means})`, async () => {
      const { told } = await inPage(
        kind,
        '',
        `${SOLVE}
         await new Promise((resolve) => {
           solving = digueSolve({ mac, seed, bits: 6, until: 100000, onPart(...part) {
             told.push(part)
             if (part[2] === 3) {
               solving.stop()
               setTimeout(resolve, 200)
             }
           } })
         })
         return result('')`,
      )
      assert.equal(told.length, 3)
    })

    test(`an AbortSignal is as good as stop (${means})`, async () => {
      const { told } = await inPage(
        kind,
        '',
        `${SOLVE}
         const abort = new AbortController()
         await new Promise((resolve) => {
           solving = digueSolve({ mac, seed, bits: 6, until: 100000, signal: abort.signal, onPart(...part) {
             told.push(part)
             if (part[2] === 2) {
               abort.abort()
               setTimeout(resolve, 200)
             }
           } })
         })
         return result('')`,
      )
      assert.equal(told.length, 2)
    })
  }

  test('parts that are known already are not solved again', async () => {
    const { told, nonces, parts, seed } = await inPage(
      'ours',
      '',
      `${SOLVE}
       const first = await new Promise((resolve) => {
         solving = digueSolve({ mac, seed, bits, until: 5, onPart: (i, n, done) => done === 5 && resolve(solving.proof()) })
       })
       solving.stop()
       await new Promise((resolve) => {
         solving = digueSolve({ mac, seed, bits, from: 5, until: 9, onPart(...part) {
           told.push(part)
           if (part[2] === 4) resolve()
         } })
       })
       const rest = solving.proof()
       return { means: '', seed, told, parts: first.parts + rest.parts, nonces: first.nonces + '.' + rest.nonces }`,
    )
    assert.equal(parts, 9)
    assert.deepEqual(told.map(([index]) => index).sort(), [5, 6, 7, 8])
    const bytes = Buffer.concat(nonces.split('.').map((text) => Buffer.from(text, 'base64url')))
    assert.equal(checkParts(MAC, Buffer.from(seed, 'base64url'), bytes, BITS), 9)
  })

  test('a fault of the page in onPart does not hold up the solver', async () => {
    for (const kind of ['ours', 'strictest'] as const) {
      const page = await browser.newPage()
      policy = POLICIES[kind]
      await page.goto(origin)
      const parts = await page.evaluate(
        `new Promise((resolve) => {
          const solving = digueSolve({ mac: '${MAC.toString('base64url')}', seed: digueSolve.seed(), bits: 6, until: 6,
            onPart() {
              const { parts } = solving.proof()
              if (parts === 6) resolve(parts)
              throw new Error('of the page')
            } })
        })`,
      )
      await page.close()
      assert.equal(parts, 6)
    }
  })

  test('while the page itself solves, it stays usable', async () => {
    policy = POLICIES.strictest
    const page = await browser.newPage()
    await page.goto(origin)
    // A long task would let no timer through: 31 bits take minutes.
    const ticks = await page.evaluate(
      `new Promise((resolve) => {
        let ticks = 0
        const solving = digueSolve({ mac: '${MAC.toString('base64url')}', seed: digueSolve.seed(), bits: 31, until: 1 })
        setInterval(() => {
          if (solving.means() !== 'page js' || ++ticks < 10) return
          solving.stop()
          resolve(ticks)
        }, 1)
      })`,
    )
    await page.close()
    assert.equal(ticks, 10)
  })
})
