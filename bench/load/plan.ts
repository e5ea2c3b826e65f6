/** What a generator process is told to do: plain data, sent over IPC. */

export interface Target {
  /** A loopback literal; checked again by the process that connects. */
  readonly address: string
  readonly port: number
  readonly tlsPort: number
  /** The Host and server name asked for. */
  readonly host: string
  /**
   * Where the system has no address but 127.0.0.1 (macOS), sources are told in X-Forwarded-For
   * instead and the server must trust 127.0.0.1.
   */
  readonly forwardedFor: boolean
}

export interface Cohort {
  readonly name: string
  /** One visitor each; an address may repeat (people behind one carrier's NAT). */
  readonly addresses: readonly string[]
  /** Poisson arrivals per visitor. */
  readonly perSecond: number
  readonly fromS: number
  readonly untilS: number
  readonly protocol: 'http' | 'https' | 'h2'
  /**
   * `keep`: connections stay open, at most six, as in a browser. `ticket`: each request on a new
   * connection resumed by the session ticket of an earlier one. `fresh`: each request on a new one.
   */
  readonly connection: 'keep' | 'ticket' | 'fresh'
  /** Assets that belong to a page; a visit is served when the page and all of them arrive. */
  readonly assets: number
  /** Share of requests that go to the dear page. */
  readonly searchShare: number
}

export interface VisitorPlan {
  readonly role: 'visitors'
  readonly target: Target
  readonly seed: number
  /** Wall clock, so that all processes of a run agree on second 0. */
  readonly startAtMs: number
  readonly seconds: number
  readonly deadlineMs: number
  readonly cohorts: readonly Cohort[]
  /** Event streams and slow downloads held open the whole time, from their own addresses. */
  readonly streams: readonly string[]
  readonly downloads: readonly string[]
}

export interface AttackPlan {
  readonly role: 'attackers'
  readonly target: Target
  readonly seed: number
  readonly startAtMs: number
  /** The flood lasts from second `fromS` until told to stop, at most until `untilS`. */
  readonly fromS: number
  readonly untilS: number
  readonly sources: readonly string[]
  /** Each request is from an address not seen before, named in X-Forwarded-For by the source. */
  readonly eachNew?: boolean
  /** Of all attackers together. */
  readonly perSecond: number
  readonly connection: 'keep' | 'new'
  readonly tls: boolean
  /**
   * Share of TLS connections that finish their handshake and ask; the others hang up once the server
   * has done its half, which is the dear one. Below 1 so that one core of load suffices.
   */
  readonly finishShare: number
  readonly path: 'page' | 'search'
  /** An attacker forgets an unanswered request after this long and closes its connection. */
  readonly patienceMs: number
  /** Of all sources together; each may have its even share. */
  readonly maxConnections: number
  readonly pulse?: { readonly onS: number; readonly offS: number }
}

export type Plan = VisitorPlan | AttackPlan

export interface AttackResult {
  readonly role: 'attackers'
  readonly seconds: number
  readonly wanted: number
  readonly sent: number
  /** Answers by status; what was not answered in time is under 'none'. */
  readonly answers: Readonly<Record<string, number>>
  readonly errors: Readonly<Record<string, number>>
  readonly mostConnections: number
}
