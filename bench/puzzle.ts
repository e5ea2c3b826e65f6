/**
 * Which hash gives a visitor's browser the smallest handicap against an attacker's own program, and
 * what does a check cost? One core each: C with vectors against a Chromium worker, and Node's check.
 */
import { argon2Sync, hash, randomBytes, scryptSync } from 'node:crypto'
import { blake3 } from '@noble/hashes/blake3.js'
import { checkParts, PART_BITS, SOLVER, solve } from '#challenge'
import { main, options } from './lib/options.ts'
import { ratio } from './lib/paired.ts'
import { tempFolder } from './lib/place.ts'
import { BenchError, provide } from './lib/processes.ts'
import { keep } from './lib/runs.ts'
import { median, quantile } from './lib/stats.ts'
import { table } from './lib/table.ts'
import { BenchBrowser, type Bid, LACKS, type Means } from './puzzle/in-browser.ts'
import { compileToWasm, fastest, type NativeRate } from './puzzle/native.ts'

interface InBrowser {
  readonly how: string
  readonly rates: readonly number[]
}

interface Candidate {
  readonly name: string
  /** Programs that an attacker might write. */
  readonly native: readonly string[]
  /** What is measured instead where nobody wrote one: at least that fast. */
  readonly nativeAtLeast?: (input: Uint8Array) => unknown
  /** Our C as WebAssembly, lanes of it. */
  readonly wasm: readonly number[]
  readonly libraries: readonly string[]
  readonly isOurs?: boolean
  readonly check: (input: Uint8Array) => unknown
}

const salt = randomBytes(16)
const scryptOf = (N: number) => (input: Uint8Array) => scryptSync(input, salt, 32, { N, r: 1, p: 1 })
const argonOf = (memory: number) => (input: Uint8Array) =>
  argon2Sync('argon2id', { message: input, nonce: salt, parallelism: 1, tagLength: 32, memory, passes: 1 })

const CANDIDATES: readonly Candidate[] = [
  {
    name: 'BLAKE2s',
    native: ['blake2s'],
    wasm: [1, 4, 8],
    libraries: ['noble blake2s', 'hash-wasm blake2s'],
    isOurs: true,
    check: (input) => hash('blake2s256', input, 'hex'),
  },
  {
    name: 'BLAKE3',
    native: ['blake3'],
    wasm: [1, 4, 8],
    libraries: ['noble blake3', 'hash-wasm blake3'],
    check: blake3,
  },
  {
    name: 'SHA-256',
    native: ['sha256', 'sha-ni'],
    wasm: [1, 4, 8],
    libraries: ['noble sha256', 'hash-wasm sha256'],
    check: (input) => hash('sha256', input, 'hex'),
  },
  ...[16, 64].map((N) => ({
    name: `scrypt N=${N} r=1`,
    native: [],
    nativeAtLeast: scryptOf(N),
    wasm: [],
    libraries: [`noble scrypt ${N}`],
    check: scryptOf(N),
  })),
  {
    name: 'Argon2id 8 KiB',
    native: [],
    nativeAtLeast: argonOf(8),
    wasm: [],
    libraries: ['hash-wasm argon2id 8'],
    check: argonOf(8),
  },
]

/** Microseconds of CPU time per call, for each round. */
function cpuUs(rounds: number, call: (i: number) => unknown): number[] {
  let calls = 64
  const timed = () => {
    const before = process.cpuUsage()
    for (let i = 0; i < calls; i++) call(i)
    const { user, system } = process.cpuUsage(before)
    return user + system
  }
  while (timed() < 100_000) calls *= 2
  return Array.from({ length: rounds }, () => timed() / calls)
}

const spread = (values: readonly number[], digits: number) =>
  `${median(values).toFixed(digits)} (${quantile(values, 0).toFixed(digits)}–${quantile(values, 1).toFixed(digits)})`
const mega = (value: number) => value.toFixed(value < 1 ? 3 : 1)

const SECTIONS = ['hashes', 'solver', 'checks', 'bids'] as const

/** Ways to solve whose whole bids are timed: the usual one, and the two poorest. */
const BID_MEANS = ['worker simd', 'worker js', 'page js'] as const satisfies readonly Means[]

await main(async () => {
  const chosen = options(
    'Usage: npm run bench:puzzle -- [options]\n\nAbout 5 minutes; --quick about 2. Needs gcc, clang, lld and chromium.',
    {
      runs: { value: 'N', help: 'Rounds. Default 7.' },
      only: { value: 'SECTION', help: `Of ${SECTIONS.join(', ')}; may be given several times.`, many: true },
      quick: { help: '3 rounds.' },
      json: { help: 'Print raw results.' },
      'no-keep': { help: 'Do not write bench/runs/.' },
    },
  )
  const rounds = Math.min(50, chosen.number('runs', chosen.flag('quick') ? 3 : 7))
  const only = chosen.list('only')
  const wanted = (section: (typeof SECTIONS)[number]) => only.length === 0 || only.includes(section)
  const say = (text: string) => chosen.flag('json') || process.stdout.write(`${text}\n`)
  await provide({ gcc: 'gcc', clang: 'clang', 'wasm-ld': 'lld', chromium: 'chromium' })
  const browser = await BenchBrowser.start()
  const raw: Record<string, unknown> = { chromium: browser.version, rounds }
  try {
    say(`Chromium ${browser.version}, ${rounds} rounds; median (least–most)`)
    if (wanted('hashes')) raw['hashes'] = await compareHashes(browser, rounds, say)
    if (wanted('solver')) raw['solver'] = await compareMeans(browser, rounds, say)
    if (wanted('checks')) raw['checks'] = timeChecks(rounds, say)
    if (wanted('bids')) raw['bids'] = await timeBids(browser, rounds, say)
    if (chosen.flag('json')) process.stdout.write(`${JSON.stringify(raw)}\n`)
    if (!chosen.flag('no-keep')) keep('puzzle', { bench: 'puzzle', ...raw })
  } finally {
    await browser.stop()
  }
})

type Say = (text: string) => void

async function compareHashes(browser: BenchBrowser, rounds: number, say: Say) {
  const results: Record<string, unknown> = {}
  const rows: string[][] = []
  const folder = tempFolder()
  for (const candidate of CANDIDATES) {
    const result = await measure(candidate, browser, rounds, folder)
    results[candidate.name] = result
    const all = result.native?.rates ?? result.nativeAtLeast
    const { how, rates } = result.browser.reduce((a, b) => (median(b.rates) > median(a.rates) ? b : a))
    const least = result.native ? '' : '≥ '
    rows.push([
      candidate.name,
      `${least}${mega(median(all))}`,
      result.avx2 ? mega(median(result.avx2.rates)) : '–',
      mega(median(rates)),
      how,
      `${least}${ratio(all, rates).text}`,
      result.avx2 ? ratio(result.avx2.rates, rates).text : '–',
      spread(result.checkUs, 2),
    ])
  }
  const head = ['', 'native', 'AVX2 only', 'browser', 'by', 'native / browser', 'AVX2 / browser', 'check, µs']
  say('\nmillion hashes per second of CPU time, one thread')
  say(table(head, rows))
  return results
}

async function compareMeans(browser: BenchBrowser, rounds: number, say: Say) {
  const solver: Record<string, number[]> = {}
  for (const means of Object.keys(LACKS) as Means[]) {
    solver[means] = await browser.solver(means, rounds, PART_BITS)
  }
  say(`\nDigue's solver, ${SOLVER.length} bytes; a part of ${PART_BITS} bits is ${2 ** PART_BITS} hashes`)
  say(
    table(
      ['one thread', 'MH/s', 'CPU ms per part', 'worker simd = 1'],
      Object.entries(solver).map(([means, rates]) => [
        means,
        spread(rates, 1),
        (2 ** PART_BITS / median(rates) / 1000).toFixed(1),
        ratio(rates, solver['worker simd']!).text,
      ]),
    ),
  )
  return solver
}

function timeChecks(rounds: number, say: Say) {
  const mac = randomBytes(16)
  const seed = randomBytes(16)
  const junk = randomBytes(64)
  const bits = 8
  const good = solve({ mac, seed, bits, until: 128 })
  const check = (nonces: Uint8Array, difficulty: number) =>
    cpuUs(rounds, (i) => checkParts(mac, seed, nonces, difficulty, i))
  const checks = {
    'junk, 16 parts': check(junk, PART_BITS),
    'good, 16 parts': check(good.subarray(0, 64), bits),
    'good, 128 parts': check(good, bits),
  }
  say('\nchecking a proof')
  say(
    table(
      ['', 'CPU µs'],
      Object.entries(checks).map(([name, us]) => [name, spread(us, 2)]),
    ),
  )
  return checks
}

/** By the clock, so only a quiet machine tells something. Throttling slows the page's thread, not its workers. */
async function timeBids(browser: BenchBrowser, rounds: number, say: Say) {
  const bids: Record<string, Bid[]> = {}
  for (const throttled of [1, 6]) {
    for (const parts of [16, 128]) {
      for (const means of BID_MEANS) {
        const name = `${means}, ${parts} parts${throttled > 1 ? `, ${throttled} × throttled` : ''}`
        const all: Bid[] = (bids[name] = [])
        for (let i = 0; i < (parts > 16 ? 1 : rounds); i++)
          all.push(await browser.bid(means, { parts, bits: PART_BITS, throttled }))
      }
    }
  }
  say('\nwhole bids by the clock, from the arrival of the script on, with all workers')
  say(
    table(
      ['', 'ms', 'hashes, million'],
      Object.entries(bids).map(([name, all]) => [
        name,
        spread(
          all.map(({ ms }) => ms),
          0,
        ),
        (median(all.map(({ hashes }) => hashes)) / 1e6).toFixed(1),
      ]),
    ),
  )
  return bids
}

async function measure(candidate: Candidate, browser: BenchBrowser, rounds: number, folder: string) {
  const best = (target: 'native' | 'avx2'): NativeRate | undefined =>
    candidate.native
      .map((source) => fastest(source, target, { rounds, folder }))
      .filter((rate) => rate !== undefined)
      .reduce<NativeRate | undefined>((a, b) => (a && median(a.rates) > median(b.rates) ? a : b), undefined)
  const native = best('native')
  const avx2 = best('avx2')
  const input = randomBytes(40)
  const call = (hash: (input: Uint8Array) => unknown) => (i: number) => {
    input.writeUInt32BE(i, 36)
    hash(input)
  }
  const inBrowser: InBrowser[] = []
  for (const lanes of candidate.wasm) {
    const file = compileToWasm(candidate.native[0]!, lanes, folder)
    if (!file) continue
    const { found, rates } = await browser.wasm(file, rounds)
    if (native && found !== native.found)
      throw new BenchError('BENCH_PUZZLE_WRONG', `${file}: found ${found}, native ${native.found}`)
    inBrowser.push({ how: lanes === 1 ? 'WASM' : `WASM SIMD, ${lanes} abreast`, rates })
  }
  for (const name of candidate.libraries)
    inBrowser.push({ how: name.replace(/ .*/, ''), rates: await browser.library(name, rounds) })
  if (candidate.isOurs)
    inBrowser.push({ how: 'our solver', rates: await browser.solver('worker simd', rounds, PART_BITS) })
  return {
    native,
    avx2,
    nativeAtLeast: candidate.nativeAtLeast
      ? cpuUs(rounds, call(candidate.nativeAtLeast)).map((us) => 1 / us)
      : [],
    browser: inBrowser,
    checkUs: cpuUs(rounds, call(candidate.check)),
  }
}
