/** An entrance for tests: real tokens, meter, prices and waiting line, with a clock that is told. */
import { createLineMemory, KeyRing, LineTurns, Meter, Prices, WaitingLine } from '#challenge'
import { Entrance } from './entrance.ts'

export const SECRET = new Uint8Array(32).fill(7)

export function entranceScene(options: { readonly nowS?: number } = {}) {
  const clock = { nowS: options.nowS ?? 1_790_000_000 }
  const counters = new Map<string, number>()
  const memory = createLineMemory({ lines: 256, subscribers: 256, log: 64 })
  const line = new WaitingLine(memory)
  const turns = new LineTurns(memory)
  const keys = new KeyRing(SECRET)
  const meter = Meter.create({ slots: 1024 })
  const prices = Prices.create()
  let serial = 0
  const entrance = new Entrance({
    keys,
    meter,
    prices,
    threads: 1,
    lineOf: () => line,
    count: (counter, by = 1) => void counters.set(counter, (counters.get(counter) ?? 0) + by),
    random: () => 0.5,
    random8: () => Buffer.from(String(++serial).padStart(8, '0')).toString('base64url'),
    nowS: () => clock.nowS,
  })
  return { entrance, keys, meter, prices, line, turns, clock, counters }
}
