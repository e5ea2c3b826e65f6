/** Made-up access logs for tests: seeded, in combined format. */
import { NetworkTable } from '#networks'
import { FIELD, LocalTimes, LogLine } from '#record'
import { Replay, type ReplayOptions } from './replay.ts'

/** Mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface Request {
  readonly second: number
  readonly client: string
  readonly target?: string
  readonly method?: string
  readonly status?: number
  readonly bytes?: number
  readonly referrer?: string
  readonly agent?: string
  readonly host?: string
  readonly durationMs?: number
}

/** 2026-01-05 00:00 UTC, a Monday. */
export const START_S = Date.UTC(2026, 0, 5) / 1000

export const BROWSERS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
] as const

export const pick = <T>(list: readonly T[], random: () => number): T =>
  list[Math.floor(random() * list.length)]!

/** Puts requests into a LogLine as a reader would, and that into a replay. */
export function feed(replay: Replay, requests: Iterable<Request>): void {
  const line = new LogLine()
  const data = Buffer.alloc(16_384)
  for (const one of requests) {
    line.begin(data, 'none')
    let used = 0
    const put = (field: (typeof FIELD)[keyof typeof FIELD], text: string) => {
      if (text === '') return
      const end = used + data.write(text, used, 'latin1')
      line.put(field, used, end)
      used = end
    }
    line.atMs = (START_S + one.second) * 1000
    line.status = one.status ?? 200
    line.bytes = one.bytes ?? 1000
    line.durationMs = one.durationMs ?? -1
    put(FIELD.client, one.client)
    put(FIELD.host, one.host ?? '')
    put(FIELD.method, one.method ?? 'GET')
    put(FIELD.target, one.target ?? '/')
    put(FIELD.referer, one.referrer ?? '')
    put(FIELD.agent, one.agent ?? BROWSERS[0])
    replay.add(line)
  }
}

/** Visitors at `perSecond` requests: pages with their parts, from a pool of people. */
export function* visitors(
  fromS: number,
  toS: number,
  perSecond: number,
  random: () => number,
): Generator<Request> {
  for (let second = fromS; second < toS; second++) {
    const visits = Math.floor(perSecond / 4 + random())
    for (let v = 0; v < visits; v++) {
      const person = Math.floor(random() ** 2 * 3000)
      const client = `81.250.${person >> 8}.${person & 255 || 1}`
      const agent = BROWSERS[person % BROWSERS.length]!
      const page = random() < 0.3 ? '/' : `/article/${Math.floor(random() * 500)}`
      yield {
        second,
        client,
        agent,
        target: page,
        referrer: random() < 0.5 ? 'https://www.example.org/' : '',
      }
      for (const part of ['/style.css', '/app.js', '/logo.svg'])
        yield { second, client, agent, target: part, referrer: `https://www.example.org${page}` }
    }
  }
}

/** By time; of the same second in the order of the lists. */
export function merged(...lists: Iterable<Request>[]): Request[] {
  return lists
    .flatMap((list) => [...list])
    .map((request, i) => ({ request, i }))
    .sort((a, b) => a.request.second - b.request.second || a.i - b.i)
    .map(({ request }) => request)
}

export function replayOf(
  requests: Iterable<Request>,
  options: Partial<ReplayOptions> = {},
  seed = 1,
): Replay {
  const replay = new Replay({
    networks: NetworkTable.EMPTY,
    times: new LocalTimes('UTC'),
    random: seeded(seed),
    ...options,
  })
  feed(replay, requests)
  replay.end()
  return replay
}
