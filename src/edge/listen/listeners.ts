/**
 * The listening sockets of one edge thread and everything between accept and a transport.
 *
 * Accept. A dropped network, or a newcomer for whom there is no room, is closed before Node has made
 * a Socket for it: `net.Server` asks its `blockList` with nothing but the address, and ours answers
 * (`Doorman`). That is a few microseconds against some forty for a Socket made and destroyed.
 *
 * Several sockets. libuv accepts one connection per turn of the event loop and listening socket (since
 * 1.45), and a turn of a busy thread takes milliseconds: a flood of new connections then waits in the
 * kernel's queue with everybody else. Where `reusePort` allows, a thread listens on each port with
 * `SOCKETS` sockets, and takes up to that many per turn.
 *
 * Stopping. Closing a listener resets what the kernel has queued on it. The kernel offers no way to
 * leave a reusePort group and keep the queue (sysctl net.ipv4.tcp_migrate_req=1 moves it to another
 * thread's, and `digue doctor` says so), so `stop` accepts until the queue was found empty in two turns of
 * the event loop and closes in the same turn: what is lost is what arrives within those microseconds.
 * A reload never stops a listener that is still wanted.
 */
import { BlockList, createServer, type Server, type Socket } from 'node:net'
import type { ListenConfig } from '#config'
import { CidrSet, type ClientAddress, UNSPECIFIED } from '#networks'
import { Arrival, type DoorSettings, type Reception } from './arrival.ts'
import { ConnectionBudget, connectionLimit } from './connection-budget.ts'
import { HandshakeGate } from './handshake-gate.ts'
import { TlsContexts } from './tls-contexts.ts'
import type { Listeners, ListenersOptions } from './types.ts'

const BACKLOG = 4096
/** Listening sockets per thread and port. With 4, a flood of 5,800 connections a second waited for 4 s in the kernel. */
const SOCKETS = 16
const SWEEP_MS = 250
const GATE_MS = 4
const MOST_DRAIN_MS = 1000

/** Opens all listeners, or none: rejects with the first fault. */
export async function openListeners(options: ListenersOptions): Promise<Listeners> {
  const listening = new Listening(options)
  await listening.open()
  return listening
}

interface Door {
  config: ListenConfig
  settings: DoorSettings
  readonly servers: readonly Server[]
  /** Connections accepted since it opened. */
  accepted: number
  /** Accepted by the doorman, about to become a Socket. */
  next: Arrival | undefined
}

/** Answers for `net.Server` before it makes a Socket. */
class Doorman extends BlockList {
  readonly #refuses: (address: string) => boolean

  constructor(refuses: (address: string) => boolean) {
    super()
    this.#refuses = refuses
  }

  override check(address: unknown): boolean {
    return this.#refuses(address as string)
  }
}

class Listening implements Listeners {
  readonly #options: ListenersOptions
  readonly #budget: ConnectionBudget
  readonly #gate: HandshakeGate
  readonly #contexts: TlsContexts
  /** In the order of accept, and so of deadline. */
  readonly #arriving = new Set<Arrival>()
  readonly #reception: Reception
  readonly #now: () => number
  #doors: Door[] = []
  #headTimeoutMs: number
  #sweeper: NodeJS.Timeout | undefined
  #gateTimer: NodeJS.Timeout | undefined
  #acceptFaultAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ListenersOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#headTimeoutMs = options.limits.headTimeout
    this.#contexts = new TlsContexts(options.certificates, options.ticketKeys)
    this.#budget = new ConnectionBudget({
      limit: connectionLimit(options.limits.connections),
      weights: options.weights,
      count: options.count,
      openByThread: options.openByThread ?? new Int32Array(new SharedArrayBuffer(4)),
      thread: options.thread ?? 0,
    })
    this.#gate = new HandshakeGate({
      share: options.limits.handshakeShare,
      weights: options.weights,
      ticketKeys: options.ticketKeys,
      count: options.count,
      busyMs: options.busyMs ?? (() => performance.eventLoopUtilization().active),
    })
    this.#reception = {
      count: options.count,
      now: this.#now,
      describe: options.describe,
      // Asked of those only whom a PROXY header named.
      isDropped: (client) => options.isDropped(client, false),
      isMarked: options.isMarked ?? (() => false),
      rename: (seat, client) => this.#budget.rename(seat, client, this.#now()),
      ask: (waiter) => {
        this.#gate.ask(waiter, this.#now())
        this.#runGate()
      },
      withdraw: (waiter) => this.#gate.withdraw(waiter),
      measured: (costMs) => this.#gate.measured(costMs),
      contextFor: (hello) => this.#contexts.contextFor(hello),
      opened: (arrival, connection, protocol) => {
        this.#arriving.delete(arrival)
        options.onConnection(connection, protocol)
      },
      closed: (arrival) => {
        this.#arriving.delete(arrival)
        if (arrival.seat !== undefined) this.#budget.leave(arrival.seat)
      },
    }
  }

  get ports(): readonly number[] {
    return this.#doors.map((door) => portOf(door.servers[0]!))
  }

  async open(): Promise<void> {
    this.#doors = await this.#openAll(this.#options.listen)
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#sweeper.unref()
  }

  async reload(change: Parameters<Listeners['reload']>[0]): Promise<void> {
    const before = new Map(this.#doors.map((door) => [placeOf(door.config), door]))
    const fresh = change.listen.filter((config) => !before.has(placeOf(config)))
    const opened = await this.#openAll(fresh)
    try {
      // Throws before it changes anything when a certificate is broken.
      this.#contexts.replace(change.certificates)
    } catch (error) {
      for (const door of opened) closeDoor(door)
      throw error
    }
    this.#headTimeoutMs = change.limits.headTimeout
    this.#budget.limit = connectionLimit(change.limits.connections)
    this.#gate.setShare(change.limits.handshakeShare)
    const kept = change.listen.map((config) => {
      const door = before.get(placeOf(config))
      if (door === undefined) return opened.shift()!
      before.delete(placeOf(config))
      door.config = config
      door.settings = settingsOf(config)
      return door
    })
    this.#doors = kept
    await Promise.all([...before.values()].map((door) => this.#stopDoor(door)))
  }

  setTicketKeys(keys: ListenersOptions['ticketKeys']): void {
    this.#contexts.setTicketKeys(keys)
    this.#gate.setTicketKeys(keys)
  }

  gauges(): Record<string, number> {
    return {
      connections: this.#budget.open,
      connectionLimit: this.#budget.limit,
      connectionsArriving: this.#arriving.size,
      handshakesWaiting: this.#gate.waiting,
      handshakeCostMs: this.#gate.costMs,
    }
  }

  async stop(): Promise<void> {
    const doors = this.#doors
    this.#doors = []
    await Promise.all(doors.map((door) => this.#stopDoor(door)))
    // Who was accepted may still be in a handshake: the sweeper goes on until the last has left.
  }

  async close(): Promise<void> {
    const doors = this.#doors
    this.#doors = []
    for (const door of doors) closeDoor(door)
    this.#budget.closeAll()
    clearInterval(this.#sweeper)
    clearInterval(this.#gateTimer)
    this.#gateTimer = undefined
  }

  async #openAll(configs: readonly ListenConfig[]): Promise<Door[]> {
    const doors = configs.map((config) => this.#makeDoor(config))
    const results = await Promise.allSettled(doors.map((door) => openDoor(door, this.#options.reusePort)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) {
      for (const door of doors) closeDoor(door)
      throw failed.reason
    }
    for (const { servers } of doors)
      for (const server of servers) server.on('error', (error) => this.#acceptFailed(error))
    return doors
  }

  #makeDoor(config: ListenConfig): Door {
    const servers = Array.from({ length: this.#options.reusePort ? SOCKETS : 1 }, () =>
      createServer({
        allowHalfOpen: true,
        noDelay: true,
        blockList: new Doorman((address) => this.#refuses(door, address)),
      }),
    )
    const door: Door = { config, settings: settingsOf(config), servers, accepted: 0, next: undefined }
    for (const server of servers) server.on('connection', (socket) => this.#accepted(door, socket))
    return door
  }

  #refuses(door: Door, address: string): boolean {
    door.accepted++
    const client = this.#options.describe(address)
    this.#options.count('connection-accepted')
    // A proxy's own address says nothing of whom it passes on.
    if (!door.settings.proxies.hasText(address)) {
      if (this.#options.isDropped(client, true)) {
        this.#options.count('connection-dropped')
        return true
      }
      if (door.settings.tls && !this.#gate.mayArrive(client, this.#now())) {
        this.#options.count('handshake-refused-early')
        return true
      }
    }
    door.next = this.#seat(door, client)
    return door.next === undefined
  }

  #seat(door: Door, client: ClientAddress): Arrival | undefined {
    const arrival = new Arrival(client, door.settings, this.#reception)
    arrival.seat = this.#budget.take(client, () => arrival.close(), arrival.acceptedAtMs)
    return arrival.seat === undefined ? undefined : arrival
  }

  #accepted(door: Door, socket: Socket): void {
    // Without an address (the peer has gone already) nobody asked the doorman.
    const arrival = door.next ?? this.#seat(door, UNSPECIFIED)
    door.next = undefined
    if (arrival === undefined) {
      socket.destroy()
      return
    }
    this.#arriving.add(arrival)
    arrival.start(
      socket,
      door.settings.proxies.size > 0 && door.settings.proxies.hasText(socket.remoteAddress ?? ''),
    )
  }

  #acceptFailed(error: Error & { code?: string }): void {
    this.#options.count('accept-failed')
    const nowMs = this.#now()
    if (nowMs - this.#acceptFaultAtMs < 10_000) return
    this.#acceptFaultAtMs = nowMs
    if (error.code === 'EMFILE' || error.code === 'ENFILE') {
      // Somebody else in this process uses descriptors too: room for fewer than was thought.
      this.#budget.limit = Math.max(64, Math.floor(this.#budget.limit * 0.9))
    }
    this.#options.onEvent?.({
      level: 'error',
      code: 'accept-failed',
      message: `cannot accept connections: ${error.message}`,
    })
  }

  #runGate(): void {
    if (this.#gateTimer !== undefined || this.#gate.waiting === 0) return
    this.#gateTimer = setInterval(() => {
      this.#gate.tick(this.#now())
      if (this.#gate.waiting > 0) return
      clearInterval(this.#gateTimer)
      this.#gateTimer = undefined
    }, GATE_MS)
  }

  #sweep(): void {
    const nowMs = this.#now()
    for (const arrival of this.#arriving) {
      if (nowMs - arrival.acceptedAtMs < this.#headTimeoutMs) break
      this.#arriving.delete(arrival)
      this.#options.count('arrival-timeout')
      arrival.close()
    }
    this.#budget.tick(nowMs)
    if (this.#doors.length === 0 && this.#budget.open === 0) clearInterval(this.#sweeper)
  }

  async #stopDoor(door: Door): Promise<void> {
    const deadlineMs = performance.now() + MOST_DRAIN_MS
    let quietTurns = 0
    let seen = door.accepted
    while (quietTurns < 2 && performance.now() < deadlineMs) {
      await new Promise((resolve) => setImmediate(resolve))
      quietTurns = door.accepted === seen ? quietTurns + 1 : 0
      seen = door.accepted
    }
    closeDoor(door)
  }
}

function settingsOf(config: ListenConfig): DoorSettings {
  return { tls: config.tls, proxies: CidrSet.parse(config.proxyProtocol).set }
}

function placeOf(config: ListenConfig): string {
  return `${config.address} ${config.port}`
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function closeDoor(door: Door): void {
  for (const server of door.servers) server.close()
}

/** Listens where the door's configuration says; "::" without IPv6 in the kernel means 0.0.0.0. */
async function openDoor(door: Door, reusePort: boolean): Promise<void> {
  const { address, port } = door.config
  const [first, ...others] = door.servers
  let host = address
  try {
    await listenAt(first!, host, port, reusePort)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (address !== '::' || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL' && code !== 'EINVAL'))
      throw error
    host = '0.0.0.0'
    await listenAt(first!, host, port, reusePort)
  }
  // Where the system chose the port, the others follow.
  await Promise.all(others.map((server) => listenAt(server, host, portOf(first!), reusePort)))
}

function listenAt(server: Server, host: string, port: number, reusePort: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, reusePort, backlog: BACKLOG, exclusive: true }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
