/** One server before one origin, ended whatever happens. */
import { makePlace, removeFolder } from '../lib/place.ts'
import type { Peer, PeerPlace, RunningPeer, Variant } from '../peers/peer.ts'

export interface Contestant {
  readonly peer: Peer
  readonly variant: Variant
}

export const nameOf = ({ peer, variant }: Contestant) => `${peer.name}, ${variant.label}`

export async function withServer<T>(
  { peer, variant }: Contestant,
  originPort: number,
  work: (running: RunningPeer, place: PeerPlace) => Promise<T>,
): Promise<T> {
  const place = await makePlace({ originPort })
  try {
    const running = await peer.start(place, variant)
    try {
      return await work(running, place)
    } finally {
      await running.stop()
    }
  } finally {
    removeFolder(place.folder)
  }
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
export const sleepUntil = (atMs: number) => sleep(Math.max(0, atMs - Date.now()))
