/** A server that can stand before the origin. Each is started afresh for each run. */
export interface PeerPlace {
  /** Folder for its configuration and state, removed after the run. */
  readonly folder: string
  readonly originPort: number
  readonly originTlsPort: number
  readonly port: number
  readonly tlsPort: number
  readonly certFile: string
  readonly keyFile: string
  readonly networksFile: string
  /** A past access log, for a Digue that is told the baseline. */
  readonly baselineFile: string
  /** Where sources are named in X-Forwarded-For, because the system has only 127.0.0.1. */
  readonly forwardedFor: boolean
  readonly core: number | undefined
}

export interface RunningPeer {
  readonly port: number
  readonly tlsPort: number
  pids(): number[]
  stop(): Promise<void>
}

/** One setting of a peer; the sweep runs several and shows the best. */
export interface Variant {
  readonly label: string
  readonly settings: Readonly<Record<string, number | string | boolean>>
}

export interface Peer {
  readonly name: string
  /** The first is the one used when there is no sweep. */
  readonly variants: readonly Variant[]
  /** Debian packages by program. */
  readonly needs: Readonly<Record<string, string>>
  start(place: PeerPlace, variant: Variant): Promise<RunningPeer>
}
