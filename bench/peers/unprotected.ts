import type { Peer } from './peer.ts'

/** The origin itself. */
export const unprotected: Peer = {
  name: 'unprotected',
  variants: [{ label: '', settings: {} }],
  needs: {},
  start: async (place) => ({
    port: place.originPort,
    tlsPort: place.originTlsPort,
    pids: () => [],
    stop: async () => {},
  }),
}
