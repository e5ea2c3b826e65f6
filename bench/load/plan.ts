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

/**
 * How a program writes: all that a server sees of it. Fields are names and values in turn, in the order and with the
 * case they are sent with; the values of Host, Cookie and Referer are the moment's, and what has none is left out.
 */
export interface Handwriting {
  readonly name: string
  readonly navigation: readonly string[]
  /** Of a page's script. */
  readonly script: readonly string[]
  /** Its ClientHello (base64 of the TLS record), where it speaks HTTPS. */
  readonly hello?: string
  /** How it opens HTTP/2; absent where it speaks HTTP/1.1 over TLS too. */
  readonly h2?: {
    readonly settings: Readonly<Record<string, number | boolean>>
    /** Window of the connection, bytes. */
    readonly window: number
    /** Pseudo-header fields in its order. */
    readonly pseudo: readonly string[]
  }
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
  /** What they browse with: how fast it proves work, if at all. Default `desktop`. */
  readonly device?: DeviceName
  /** Served means within this long; by default the plan's. */
  readonly deadlineMs?: number
  /** A cookie each address has from earlier days, such as a known token. */
  readonly cookies?: readonly string[]
  /**
   * Somebody stays this long; then somebody else, from the next address and with an empty cookie jar,
   * takes the place. `people` is the number of places. Without it, one person per address, all the time.
   */
  readonly stays?: { readonly people: number; readonly stayS: number }
  /** The n-th visitor writes as the n-th of these; by default, all as the bench's own browser. */
  readonly handwritings?: readonly Handwriting[]
  /** All want this page, and come from there. */
  readonly link?: { readonly page: string; readonly referrer: string }
  /** Its visitors go on coming, uncounted, while another cohort's last ones are still waited for. */
  readonly lingers?: boolean
}

export type DeviceName = 'desktop' | 'phone' | 'no-script'

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
  /** What their requests look like; by default everything is drawn. */
  readonly writing?: FloodWriting
  /** What the attackers do with answers; by default nothing. */
  readonly behaviour?: BehaviourPlan
}

export interface FloodWriting {
  readonly tools: readonly FloodTool[]
  /** All use the same tool, and after so long the next one. Absent: each address keeps its own. */
  readonly changesEveryS?: number
}

export interface FloodTool {
  /** What follows the request line, each field with its end of line: one is drawn for each request. */
  readonly heads: readonly string[]
  /** One is drawn for each request. */
  readonly targets: readonly string[]
  /** ClientHello that its TLS begins with (base64 of the record). */
  readonly hello?: string
}

/** See `behaviours.ts`. */
export type BehaviourPlan =
  /** Each source sends its own cookie. */
  | { readonly does: 'cookies'; readonly cookies: readonly string[] }
  /** Proofs of random nonces: for valid challenges and, `forgedShare` of them, for invented ones. */
  | { readonly does: 'junk-proofs'; readonly forgedShare: number; readonly parts: number }
  /** Follow each source's first ticket to the whole page, and ask for that again and again. */
  | { readonly does: 'pages' }
  /** Take tickets and come back with each when its time has come. */
  | { readonly does: 'tickets' }
  | FarmPlan

/** Real proofs, at the rate that so many cores of native code would make them at the real difficulty. */
export interface FarmPlan {
  readonly does: 'farm'
  readonly cores: number
  readonly msPerPart: number
  /** Parts of each bid; by default the price, and more where there is time for more. */
  readonly bid?: number
  /** So many sources use one clearance at the same time; by default any source uses any clearance. */
  readonly sharedBy?: number
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
  /** Wall clock of the first request; 0 when there was none. */
  readonly firstSentAtMs: number
  /** Read from all its sockets. */
  readonly bytesReceived: number
  /** Of these, in answers other than a page (200). */
  readonly bytesOfRefusals: number
  /** What the behaviour counted: proofs sent, clearances got, and so on. */
  readonly deeds: Readonly<Record<string, number>>
  /** CPU of the generator's process over its run, as a share of one core. */
  readonly cpuShare: number
}
