/** Digue as the cache's bench runs it: with its defaults, which store. */
import { startDigue } from '../peers/digue.ts'
import type { Peer } from '../peers/peer.ts'

export const digueCache: Peer = {
  name: 'digue',
  variants: [
    { label: 'one thread', settings: { threads: 1 } },
    { label: 'two threads', settings: { threads: 2 } },
  ],
  needs: {},
  start: (place, variant) => startDigue(place, variant, { threads: variant.settings['threads'] }),
}
