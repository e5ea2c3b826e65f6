/** For tests: the desk of one thread with the pipeline before it and a gate behind, without sockets or library. */
import type { Dispatcher } from 'undici'
import { createGate, FLAT_WEIGHTS, type Hammering, RouteCosts, SharedCapacity } from '#admission'
import { Flights, Parameters, type StoredResponse, Warming } from '#cache'
import { PageBudget } from '#challenge'
import { configSchema } from '#config'
import type { Policy } from '#control'
import type { RequestHead } from '#http'
import { AddressBook, identify, NetworkTable } from '#networks'
import type { Connection } from '../connection.ts'
import { entranceScene } from '../entrance/entrance.fixture.ts'
import { type Carrier, Exchange } from '../exchange.ts'
import { EdgeHouse, type Origin, type OriginSet } from '../house.ts'
import { Pipeline } from '../pipeline.ts'
import { CacheDesk, type CacheDeskOptions } from './cache-desk.ts'
import type { Instead } from './filling.ts'
import { Shelf } from './shelf.ts'

export const CALM: Policy = { serial: 1, bypass: false, attack: 'auto', postures: {}, decisions: [] }
export const FLOODED: Policy = { ...CALM, postures: { 'example.org': 'flooded' } }

/** Writes down what it is told to do; a test goes on for it. */
export class FakeCarrier implements Carrier {
  did: '' | 'answer' | 'relay' | 'serve' | 'drop' = ''
  status = 0
  instead: Instead | undefined
  readonly hasBody: boolean

  constructor(hasBody = false) {
    this.hasBody = hasBody
  }

  answer(_exchange: Exchange, answer: { status: number }): void {
    this.did = 'answer'
    this.status = answer.status
  }
  relay(): void {
    this.did = 'relay'
  }
  serve(_exchange: Exchange, instead: Instead): void {
    this.did = 'serve'
    this.instead = instead
    this.status = instead.served.status
  }
  drop(exchange: Exchange): void {
    this.did = 'drop'
    if (exchange.relaying) finish(exchange)
  }
  get text(): string {
    return Buffer.from(this.instead?.served.body ?? []).toString()
  }
}

export interface Asked {
  readonly method?: string
  readonly target?: string
  readonly fields?: readonly string[]
  readonly peer?: string
  readonly hasBody?: boolean
}

export function finish(exchange: Exchange): void {
  exchange.end({ action: 'relay', reason: '', status: 200, bytes: 0, outcome: 'answered' })
}

/** `limit`: requests at the origin at once. */
export function deskScene(
  options: { readonly limit?: number; readonly cache?: object; readonly policy?: Policy } = {},
) {
  const config = configSchema.parse({
    sites: [{ hosts: ['example.org'], origins: ['http://127.0.0.1:9'], cache: options.cache }],
  })
  const clock = { nowMs: 1000, wallMs: Date.UTC(2026, 10, 24, 12) }
  const capacity = SharedCapacity.create({ sites: 1, threads: 1 })
  const limit = options.limit ?? 20
  capacity.configure(0, { initial: limit, min: 1, max: limit })
  const gate = createGate({
    capacity,
    site: 0,
    thread: 0,
    weights: FLAT_WEIGHTS,
    costs: new RouteCosts(),
  })
  const dispatched: object[] = []
  const handlers: Dispatcher.DispatchHandler[] = []
  const picked = { open: 0 }
  const origins = {
    pick: () => {
      picked.open++
      const dispatch = (request: object, handler: Dispatcher.DispatchHandler) => {
        dispatched.push(request)
        handlers.push(handler)
      }
      return { pool: { dispatch } } as unknown as Origin
    },
    succeeded: () => void picked.open--,
    failed: () => void picked.open--,
    returned: () => void picked.open--,
    close() {},
  } as unknown as OriginSet & { close(): void }
  const house = new EdgeHouse(config, options.policy ?? CALM, { gate: () => gate, origins: () => origins })
  const [site] = [...house.sites.values()]
  const memory = Flights.memory(64)
  const library = {
    stored: [] as StoredResponse[],
    invalidated: [] as string[],
    landed: [] as string[],
    wanted: [] as (() => void)[],
  }
  let onDisk = (_key: string) => false
  const { cache } = site!.config
  const siteCache = {
    rules: {
      heuristicMs: cache.heuristic,
      staleMs: cache.staleFor,
      objectBytes: cache.objectBytes,
      isEmergencyPath: (target: string) => cache.emergency.includes(target),
    },
    parameters: new Parameters({ known: cache.parameters }),
    warming: new Warming({ mostPerSecond: 5 }),
  }
  const count = (counter: string) => house.count(counter)
  const shelf = new Shelf({ memoryBytes: 2 ** 24, rulesOf: () => siteCache.rules, count })
  let desk!: CacheDesk
  const pipeline = new Pipeline({
    house,
    entrance: entranceScene().entrance,
    pageBudget: new PageBudget({}),
    weights: FLAT_WEIGHTS,
    book: new AddressBook(NetworkTable.EMPTY),
    hammering: { state: () => 'ok', refused() {}, completed() {} } satisfies Pick<
      Hammering,
      'state' | 'refused' | 'completed'
    >,
    thread: 0,
    threads: 1,
    now: () => clock.nowMs,
    random: () => 0,
    cache: (host) => {
      desk = new CacheDesk({
        host,
        shelf,
        library: {
          want: (_key, tell) => void library.wanted.push(() => tell([])),
          stored: (response) => library.stored.push(response) > 0,
          used() {},
          invalidated: (keys) => void library.invalidated.push(...keys),
          landed: (key) => void library.landed.push(key),
          seen() {},
        },
        flights: new Flights(memory, 0),
        mayBeOnDisk: (key) => onDisk(key),
        siteOf: () => siteCache,
        count,
        nowMs: () => clock.wallMs,
        monotonicMs: () => clock.nowMs,
      } satisfies CacheDeskOptions)
      return desk
    },
  })
  const receive = (asked: Asked = {}) =>
    receiveHead(
      {
        method: asked.method ?? 'GET',
        target: asked.target ?? '/',
        version: '1.1',
        host: 'example.org',
        fields: ['host', 'example.org', ...(asked.fields ?? [])],
      },
      asked.peer,
      asked.hasBody,
    )
  const receiveHead = (head: RequestHead, peer = '192.0.2.1', hasBody = false) => {
    const carrier = new FakeCarrier(hasBody)
    const connection = {
      socket: { setKeepAlive() {} },
      peer: identify(peer),
      secure: false,
      ja4: '',
      h2: '',
      requests: 0,
      active: 0,
      proven: false,
      idleSinceMs: 0,
    } as unknown as Connection
    const exchange = new Exchange(pipeline, carrier, connection, head)
    pipeline.receive(exchange)
    return { carrier, exchange }
  }
  /** The origin answers a request that was relayed, and its client reads it. */
  const respond = (
    { exchange, carrier }: ReturnType<typeof receive>,
    status: number,
    fields: readonly string[],
    body = '',
  ) => {
    exchange.firstByte(status)
    const wish = exchange.fill?.answered(status, () => fields) ?? 'pass'
    // The origin is asked once more.
    if (wish === 'again') return wish
    if (wish === 'hold') {
      exchange.fill!.data(Buffer.from(body))
      exchange.fill!.completed()
      if (exchange.fill!.instead === undefined) return wish
    }
    if (wish === 'instead' || wish === 'hold') {
      exchange.originEnded('answered')
      carrier.serve(exchange, exchange.fill!.instead!)
    } else {
      if (wish === 'copy') exchange.fill!.data(Buffer.from(body))
      exchange.originEnded('answered')
      if (wish === 'copy') exchange.fill!.completed()
    }
    finish(exchange)
    return wish
  }
  return {
    capacity,
    clock,
    desk,
    dispatched,
    gate,
    handlers,
    house,
    library,
    memory,
    pipeline,
    picked,
    receive,
    receiveHead,
    respond,
    shelf,
    site: site!,
    siteCache,
    put: (key: string) => shelf.get(key),
    disk: (may: typeof onDisk) => (onDisk = may),
    policy: (policy: Policy) => {
      house.policy = policy
      pipeline.policyChanged()
    },
    pass: (ms: number) => {
      clock.nowMs += ms
      clock.wallMs += ms
      pipeline.tick()
    },
  }
}
