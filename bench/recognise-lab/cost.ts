/**
 * What do traits cost? In process, CPU time of calls on what the lab's clients really send; and in the whole of Digue,
 * CPU per request with signatures in force and without, in turns.
 */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  h2FingerprintOf,
  ja4Of,
  parseClientHello,
  type Signature,
  SignatureMatcher,
  signatureId,
  type Term,
  type TraitInput,
  traitsOf,
  UNFAMILIAR,
} from '#recognise'
import { HOST } from '../lib/certificate.ts'
import { cpuPer, inTurns, ratio, withPeers } from '../lib/paired.ts'
import { Child, CORES, need } from '../lib/processes.ts'
import { median } from '../lib/stats.ts'
import { fieldsNow } from '../load/fields-now.ts'
import { HELLOS } from '../load/hellos.ts'
import { startConstantOrigin } from '../origin/constant.ts'
import { startDigue } from '../peers/digue.ts'
import type { Peer } from '../peers/peer.ts'
import { FLOODS } from './floods.ts'
import { visitorsHandwritings } from './handwritings.ts'

export interface CostRow {
  readonly what: string
  /** CPU microseconds per call: of all rounds the median, least and most. */
  readonly us: number
  readonly leastUs: number
  readonly mostUs: number
  /** What it must not exceed. */
  readonly goalUs?: number
}

const ROUNDS = 7
const ROUND_MS = 150
/** Keeps calls from being optimised away. */
let kept: unknown

function cost(what: string, size: number, call: (i: number) => unknown, goalUs?: number): CostRow {
  const round = (): number => {
    const start = process.threadCpuUsage()
    let [calls, spentUs] = [0, 0]
    while (spentUs < ROUND_MS * 1000) {
      for (let i = 0; i < size; i++) kept = call(i)
      calls += size
      const used = process.threadCpuUsage(start)
      spentUs = used.user + used.system
    }
    return spentUs / calls
  }
  round()
  const rounds = Array.from({ length: ROUNDS }, round)
  return {
    what,
    us: median(rounds),
    leastUs: Math.min(...rounds),
    mostUs: Math.max(...rounds),
    ...(goalUs === undefined ? {} : { goalUs }),
  }
}

/** A text as it comes from a socket: made of bytes, not of other texts. */
const received = (text: string) => Buffer.from(text).toString('latin1')

function inputOf(fields: readonly string[], target: string, i: number, hasH2: boolean): TraitInput {
  return {
    method: 'GET',
    target: received(target),
    host: HOST,
    fields: fields.map(received),
    secure: hasH2,
    httpVersion: hasH2 ? '2' : '1.1',
    isDirect: true,
    ja4: hasH2 ? 't13d1517h2_8daaf6152771_cb7bf5808d99' : '',
    h2: hasH2 ? '1:65536;2:0;4:6291456;6:262144|15663105|m,a,s,p' : '',
    asn: 64_500 + (i % 200),
    lane: 'unproven',
    hasOwnCookie: false,
  }
}

function visitorsInputs(secure: boolean): TraitInput[] {
  return visitorsHandwritings(secure, 1000).map((writing, i) => {
    const moment = { host: HOST, cookie: `visit=${i}`, referrer: `https://${HOST}/article/${i % 50}` }
    const fields = [...fieldsNow(writing.navigation, moment)].flat()
    return inputOf(fields, `/article/${i % 50}?page=${i % 9}`, i, secure)
  })
}

/** More than any cache holds: each is another text. */
function drawnInputs(): TraitInput[] {
  const tool = FLOODS.find(({ name }) => name === 'all-random')!.writing!(1).tools[0]!
  return tool.heads.map((head, i) => {
    const fields = head
      .split('\r\n')
      .filter((line) => line !== '')
      .flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
    return inputOf(fields, tool.targets[i]!, i, false)
  })
}

/** As many as can be mined, of all kinds, which nobody fits. */
function signatures(count: number): Signature[] {
  return Array.from({ length: count }, (_, i) => {
    const terms: Term[] =
      i % 3 === 0
        ? [{ trait: 'tls', value: `t${i}` }]
        : i % 3 === 1
          ? [
              { trait: 'order', value: '1-1-42ac787e23dd' },
              { trait: 'agent', value: `Tool${i}` },
            ]
          : [
              { trait: 'agent', value: UNFAMILIAR },
              { trait: 'path', value: `/nowhere${i}` },
            ]
    return {
      id: signatureId(terms),
      terms,
      effect: 'weight',
      isPinned: true,
      publishedAtMs: Date.now(),
      expiresAtMs: Date.now() + 86_400_000,
      support: 0.5,
      baseline: 0,
      baselineAtMost: 0.001,
      lift: 500,
      visitors: 0,
      reason: 'bench',
    }
  })
}

const PER_REQUEST_US = 3
const PER_CONNECTION_US = 60
const MINED = 16

export function inProcess(): CostRow[] {
  const matcher = new SignatureMatcher({
    signatures: signatures(MINED),
    familiar: { agent: ['Chrome/Windows'] },
  })
  const request = (inputs: readonly TraitInput[]) => (i: number) => matcher.match(traitsOf(inputs[i]!))
  const secure = visitorsInputs(true)
  const plain = visitorsInputs(false)
  const drawn = drawnInputs()
  const chromium = Buffer.from(HELLOS.chromium, 'base64')
  // Another cipher in each: no hash of it is known.
  const hellos = Array.from({ length: 4096 }, (_, i) => {
    const hello = Buffer.from(chromium)
    const ciphers = 5 + 4 + 34 + 1 + hello[5 + 4 + 34]! + 2
    hello.writeUInt32BE(Math.imul(i + 1, 2_654_435_761) >>> 0, ciphers)
    return hello
  })
  const connection = (bytes: Uint8Array): string => {
    const read = parseClientHello(bytes)
    return read.kind === 'hello' ? ja4Of(read.hello) : ''
  }
  const settings = { headerTableSize: 65_536, enablePush: false, initialWindowSize: 6_291_456 }
  const pseudo = [':method', 'GET', ':authority', 'a', ':scheme', 'https', ':path', '/']
  const all = (bytes: Uint8Array) => connection(bytes) + h2FingerprintOf(settings, 15_728_640, pseudo)
  return [
    cost('request: visitors over HTTPS', secure.length, request(secure), PER_REQUEST_US),
    cost('request: visitors over HTTP', plain.length, request(plain), PER_REQUEST_US),
    cost('request: fields, names and queries drawn', drawn.length, request(drawn), PER_REQUEST_US),
    cost('TLS connection: Chromium', 1, () => all(chromium), PER_CONNECTION_US),
    cost('TLS connection: ciphers drawn', hellos.length, (i) => all(hellos[i]!), PER_CONNECTION_US),
  ]
}

/** State of a brain in which an operator has pinned signatures: every request is read for them. */
function writeState(folder: string): void {
  const state = { signatures: { '*': { pinned: signatures(MINED), forbidden: [] } } }
  const sha256 = createHash('sha256').update(JSON.stringify(state)).digest('hex')
  writeFileSync(
    join(folder, 'brain.json'),
    JSON.stringify({ format: 'digue-state', version: 1, sha256, state }),
  )
}

const contender = (name: string, isOn: boolean): Peer => ({
  name,
  variants: [{ label: '', settings: {} }],
  needs: {},
  start: (place, variant) => {
    if (isOn) writeState(place.folder)
    return startDigue(place, variant)
  },
})

export interface EdgeCost {
  readonly onUs: readonly number[]
  readonly offUs: readonly number[]
  readonly ratio: {
    readonly median: number
    readonly low: number
    readonly high: number
    readonly text: string
  }
}

/** CPU microseconds per proxied request of the whole of Digue, with sixteen signatures in force and with none. */
export async function inEdge(rounds: number, seconds: number): Promise<EdgeCost> {
  const wrk = need('wrk')
  const origin = await startConstantOrigin()
  try {
    return await withPeers(
      [contender('signatures', true), contender('none', false)],
      { originPort: origin.port },
      async (up) => {
        const results = await inTurns(up, rounds, (one) =>
          cpuPer(one, async () => {
            const url = `http://127.0.0.1:${one.peer.port}/article/7?page=2`
            const fields = WRK_FIELDS.flatMap((field) => ['-H', field])
            const child = new Child('wrk', [wrk, '-t1', '-c16', `-d${seconds}s`, ...fields, url], {
              core: CORES?.load,
            })
            await new Promise((resolve) => child.process.once('exit', resolve))
            const found = /(\d+) requests in/.exec(child.output)
            if (!found || /Non-2xx/.test(child.output)) throw new Error(`wrk: ${child.output}`)
            return Number(found[1])
          }),
        )
        const onUs = results.get('signatures')!
        const offUs = results.get('none')!
        return { onUs, offUs, ratio: ratio(onUs, offUs) }
      },
    )
  } finally {
    await origin.stop()
  }
}

/** A browser's, so that there is something to read. */
const WRK_FIELDS = [
  ...fieldsNow(visitorsHandwritings(false, 1)[0]!.navigation, { host: HOST, cookie: 'a=b', referrer: '' }),
].map(([name, value]) => `${name}: ${value}`)

export { kept }
