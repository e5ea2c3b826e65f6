/** Several servers up at the same time, measured in turns: what a slow minute does to one it does to all. */

import type { Peer, RunningPeer } from '../peers/peer.ts'
import { makePlace, type PlaceOptions, removeFolder } from './place.ts'
import { cpuMs } from './processes.ts'
import { median, medianInterval } from './stats.ts'

export interface Contender {
  readonly name: string
  readonly peer: RunningPeer
}

export async function withPeers<T>(
  peers: readonly Peer[],
  options: PlaceOptions,
  work: (up: Contender[]) => Promise<T>,
): Promise<T> {
  const up: (Contender & { folder: string })[] = []
  try {
    for (const peer of peers) {
      const place = await makePlace(options)
      up.push({ name: peer.name, peer: await peer.start(place, peer.variants[0]!), folder: place.folder })
    }
    return await work(up)
  } finally {
    for (const { peer, folder } of up) {
      await peer.stop()
      removeFolder(folder)
    }
  }
}

/** Measures every contender in each round, beginning with another one each time. */
export async function inTurns<T>(
  up: readonly Contender[],
  rounds: number,
  measure: (one: Contender, round: number) => Promise<T>,
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(up.map((one) => [one.name, []]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < up.length; i++) {
      const one = up[(round + i) % up.length]!
      results.get(one.name)!.push(await measure(one, round))
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K  round ${round + 1}/${rounds} · ${one.name}`)
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
  return results
}

/** CPU microseconds that `work` cost the peer, per thing done. */
export async function cpuPer(one: Contender, work: () => Promise<number>): Promise<number> {
  const before = cpuMs(one.peer.pids())
  const done = await work()
  return (1000 * (cpuMs(one.peer.pids()) - before)) / done
}

/** "0.87 (0.85–0.90)": the median of paired ratios with its 95 % interval. */
export function ratio(
  of: readonly number[],
  to: readonly number[],
): { median: number; low: number; high: number; text: string } {
  const ratios = of.map((value, i) => value / to[i]!)
  const middle = median(ratios)
  const { low, high } = medianInterval(ratios)
  return { median: middle, low, high, text: `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})` }
}
