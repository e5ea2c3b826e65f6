/** A thread's pipeline for tests: a gate that says what it is told to, and carriers that write down what they are asked. */
import { type Claim, FLAT_WEIGHTS, type Verdict } from '#admission'
import { PageBudget } from '#challenge'
import { configSchema } from '#config'
import type { Decision, Policy } from '#control'
import { AddressBook, identify, NetworkTable } from '#networks'
import type { Answer } from './answers.ts'
import type { Connection } from './connection.ts'
import { entranceScene } from './entrance/entrance.fixture.ts'
import { type Carrier, Exchange } from './exchange.ts'
import { EdgeHouse, type OriginSet, type SiteGate } from './house.ts'
import { Pipeline } from './pipeline.ts'

export const CALM: Policy = { serial: 1, bypass: false, attack: 'auto', postures: {}, decisions: [] }

/** Says what it is told to, and writes down what it is asked. */
export class FakeGate implements SiteGate {
  learning = false
  readonly weights = FLAT_WEIGHTS
  readonly typicalCostMs = 20
  calmMs(): undefined {}
  verdict: Verdict = { action: 'admit' }
  readonly calls: string[] = []
  ask(_claim: Claim): Verdict {
    this.calls.push('ask')
    return this.verdict
  }
  pass(): void {
    this.calls.push('pass')
  }
  withdraw(): void {
    this.calls.push('withdraw')
  }
  responded(): void {
    this.calls.push('responded')
  }
  settle(_claim: Claim, outcome: string): void {
    this.calls.push(`settle ${outcome}`)
  }
  detach(): void {
    this.calls.push('detach')
  }
  tick(): void {
    this.calls.push('tick')
  }
  woken(): void {
    this.calls.push('woken')
  }
  report() {
    return { queueDelayMs: 0, queueDelayMaxMs: 0, waiting: 0, calm: [], calmLost: 0 }
  }
}

export class FakeCarrier implements Carrier {
  did = ''
  status = 0
  fields: readonly string[] = []
  answer(_exchange: Exchange, answer: Answer, close: boolean): void {
    this.did = close ? 'answer, close' : 'answer'
    this.status = answer.status
    this.fields = answer.fields
  }
  relay(): void {
    this.did = 'relay'
  }
  drop(exchange: Exchange): void {
    this.did = 'drop'
    if (exchange.relaying)
      exchange.end({ action: 'relay', reason: 'dropped', status: 0, bytes: 0, outcome: 'abandoned' })
  }
}

export interface Asked {
  method?: string
  target?: string
  host?: string
  fields?: string[]
  peer?: string
}

export function scene(
  options: {
    site?: Record<string, unknown>
    config?: Record<string, unknown>
    policy?: Partial<Policy>
  } = {},
) {
  const config = configSchema.parse({
    sites: [{ hosts: ['example.org'], origins: ['http://127.0.0.1:9'], ...options.site }],
    ...options.config,
  })
  const gate = new FakeGate()
  const origins = { close() {} } as unknown as OriginSet & { close(): void }
  const house = new EdgeHouse(
    config,
    { ...CALM, ...options.policy },
    { gate: () => gate, origins: () => origins },
  )
  const hammer = { state: 'ok' as 'ok' | 'hammering' | 'drop', refused: 0, completed: 0 }
  const clock = { nowMs: 1000 }
  const entrance = entranceScene()
  const pipeline = new Pipeline({
    house,
    entrance: entrance.entrance,
    pageBudget: new PageBudget({}),
    weights: FLAT_WEIGHTS,
    book: new AddressBook(NetworkTable.EMPTY),
    hammering: {
      state: () => hammer.state,
      refused: () => void hammer.refused++,
      completed: () => void hammer.completed++,
    },
    thread: 0,
    threads: 1,
    now: () => clock.nowMs,
    random: () => 0,
  })
  const receive = (asked: Asked = {}) => {
    const carrier = new FakeCarrier()
    const keepAlives: boolean[] = []
    const connection = {
      socket: { setKeepAlive: (on: boolean) => void keepAlives.push(on) },
      peer: identify(asked.peer ?? '192.0.2.1'),
      secure: false,
      ja4: '',
      h2: '',
      viaProxy: false,
      requests: 0,
      active: 0,
      proven: false,
      idleSinceMs: 0,
    } as unknown as Connection
    const head = {
      method: asked.method ?? 'GET',
      target: asked.target ?? '/',
      version: '1.1' as const,
      host: asked.host ?? 'example.org',
      fields: asked.fields ?? [],
    }
    const exchange = new Exchange(pipeline, carrier, connection, head)
    pipeline.receive(exchange)
    return { carrier, exchange, connection, keepAlives }
  }
  return { pipeline, house, gate, hammer, clock, receive, entrance }
}

export const decision = (effect: 'allow' | 'refuse', about: Partial<Decision>): Decision => ({
  id: effect,
  effect,
  expiresAtMs: Date.now() + 60_000,
  note: '',
  ...about,
})
export const ANSWERED = { action: 'relay', reason: '', status: 200, bytes: 5, outcome: 'answered' } as const

/** A field of what a carrier was asked to answer. */
export function value(carrier: FakeCarrier, name: string): string | undefined {
  const at = carrier.fields.indexOf(name)
  return at === -1 ? undefined : carrier.fields[at + 1]
}
