/**
 * The helper's table: what may go into it, what stands in it, and that it is still there.
 *
 * It comes with the first entry and goes a minute after the last, so in calm weather the machine has no rule of
 * ours. Entries are gathered for 100 ms and go in as one transaction. Every two seconds a mark in the set is
 * proved: without it somebody has flushed the ruleset, and everything is made anew from the ledger.
 */
import { cidrsOf, isEntryIn } from './entry.ts'
import { Guard, type Refusal, type Surroundings } from './guard.ts'
import { Ledger, type Standing } from './ledger.ts'
import type { NftAnswer } from './nft-session.ts'
import {
  addElements,
  type DropCount,
  emptySets,
  fillTable,
  makeTable,
  mark,
  proveMark,
  readCounts,
  removeTable,
  TABLE,
  type TableShape,
  takeCounts,
} from './ruleset.ts'

export interface TableSettings {
  /** `own`: table, sets, chain. `set-only`: sets in `table`, for rules of the operator's own. */
  readonly mode: 'own' | 'set-only'
  /** Of `set-only`. */
  readonly table: string
  readonly maxEntries: number
  readonly ports: readonly number[]
  /** Networks that are never silenced. */
  readonly never: readonly string[]
}

/** What `NftSession` is, so that tests need no kernel. */
export interface Session {
  readonly ended: string | undefined
  run(commands: string): Promise<NftAnswer>
  close(): void
}

export interface TableDeps {
  readonly open: (onEnd: (reason: string) => void) => Session
  readonly look: () => Promise<Surroundings>
  /** Monotonic, ms. */
  readonly now: () => number
  readonly onEvent: (event: TableEvent) => void
}

export interface TableEvent {
  readonly code: 'kernel-table' | 'kernel-flushed' | 'kernel-fault' | 'kernel-full'
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
}

export interface DropResult {
  readonly added: number
  readonly known: number
  readonly refused: number
  /** At the cap, or beyond the rate. */
  readonly full: number
}

export interface TableStatus extends DropCount {
  readonly table: string
  readonly mode: TableSettings['mode']
  /** `idle`: nothing is silenced and there is no table. */
  readonly state: 'idle' | 'active' | 'fault'
  /** Whether the table ends with the helper, however that ends. */
  readonly owned: boolean
  readonly fault: string
  readonly entries: { readonly v4: number; readonly v6: number; readonly most: number }
  readonly ports: readonly number[]
  /** Entries on their way into the kernel. */
  readonly waiting: number
  readonly added: number
  readonly full: number
  readonly refused: Readonly<Record<Refusal, number>>
  readonly remade: number
}

const GATHER_MS = 100
const REMAKE_MS = 500
const PROVE_MS = 2000
const LOOK_MS = 10_000
const IDLE_MS = 60_000
const RETRY_MS = 1000
const LONGEST_RETRY_MS = 60_000
/** Entries per second beyond the first `maxEntries`: what one core adds in a tenth of its time. */
const REFILL_PER_SECOND = 10_000
export const SHORTEST_S = 1
export const LONGEST_S = 900

export class DropTable {
  readonly #settings: TableSettings
  readonly #deps: TableDeps
  readonly #shape: TableShape
  readonly #guard: Guard
  readonly #ledger: Ledger
  #fresh: Standing[] = []
  #session: Session | undefined
  #state: TableStatus['state'] = 'idle'
  #owned = false
  #fault = ''
  #inHand = 0
  #wantsRemake = false
  #isMaking = false
  #working: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #lastEntryAtMs = 0
  #provedAtMs = 0
  #madeAtMs = Number.NEGATIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #retryAtMs = 0
  #retryMs = RETRY_MS
  #budget: number
  #budgetAtMs: number
  #saidFull = false
  #counts: DropCount = { packets: 0, bytes: 0 }
  #added = 0
  #full = 0
  #remade = 0
  readonly #refused: Record<Refusal, number> = { 'not-an-address': 0, reserved: 0, listed: 0, own: 0 }

  constructor(settings: TableSettings, deps: TableDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#shape = {
      table: settings.mode === 'own' ? TABLE : settings.table,
      maxEntries: settings.maxEntries,
      ports: settings.mode === 'own' ? settings.ports : undefined,
    }
    this.#guard = new Guard(settings.never)
    this.#ledger = new Ledger(settings.maxEntries)
    this.#budget = settings.maxEntries
    this.#budgetAtMs = deps.now()
  }

  /** Must be awaited before the first entry: whoever is not known as ours could be silenced. */
  async look(): Promise<void> {
    this.#lookedAtMs = this.#deps.now()
    this.#guard.look(await this.#deps.look())
    // Addresses come and sessions open while entries stand.
    for (const { text } of [...this.#ledger.standing()])
      if (typeof this.#guard.judge(text) === 'string' && this.#ledger.remove(text)) this.#wantsRemake = true
  }

  drop(addresses: readonly string[], seconds: number): DropResult {
    const nowMs = this.#deps.now()
    let added = 0
    let known = 0
    let refused = 0
    let full = 0
    for (const text of addresses) {
      const entry = this.#guard.judge(text)
      if (typeof entry === 'string') {
        this.#refused[entry]++
        refused++
        continue
      }
      const outcome = this.#mayAdd(nowMs) ? this.#ledger.add(entry, { nowMs, forMs: seconds * 1000 }) : 'full'
      if (outcome === 'known') known++
      else if (outcome === 'full') full++
      else {
        this.#budget--
        this.#fresh.push({ ...entry, endsAtMs: nowMs + seconds * 1000 })
        added++
      }
    }
    this.#added += added
    this.#full += full
    if (full > 0 && !this.#saidFull) {
      this.#saidFull = true
      this.#say(
        'kernel-full',
        'warn',
        `${this.#ledger.size} addresses are silenced, more find no room (kernel.maxEntries)`,
      )
    }
    if (added > 0) {
      this.#lastEntryAtMs = nowMs
      this.#schedule()
    }
    return { added, known, refused, full }
  }

  /** Ends all entries in `networks` now; `all` for every one. How many. */
  release(networks: readonly string[] | 'all'): number {
    const cidrs = networks === 'all' ? [] : cidrsOf(networks)
    let released = 0
    for (const { text } of [...this.#ledger.standing()])
      if ((networks === 'all' || isEntryIn(text, cidrs)) && this.#ledger.remove(text)) released++
    if (released > 0) {
      this.#wantsRemake = true
      this.#schedule()
    }
    return released
  }

  status(): TableStatus {
    this.#ledger.sweep(this.#deps.now())
    return {
      table: `inet ${this.#shape.table}`,
      mode: this.#settings.mode,
      state: this.#state,
      owned: this.#owned,
      fault: this.#fault,
      entries: {
        v4: this.#ledger.count(4),
        v6: this.#ledger.count(6),
        most: this.#settings.maxEntries,
      },
      ports: this.#settings.ports,
      waiting: this.#waiting,
      packets: this.#counts.packets,
      bytes: this.#counts.bytes,
      added: this.#added,
      full: this.#full,
      refused: { ...this.#refused },
      remade: this.#remade,
    }
  }

  /** Ends all entries and takes the table away. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#ledger.clear()
    this.#fresh = []
    await this.#working
    // Entries that came meanwhile are of somebody else.
    if (this.#ledger.size === 0) await this.#leave()
  }

  #mayAdd(nowMs: number): boolean {
    const { maxEntries } = this.#settings
    this.#budget = Math.min(
      maxEntries,
      this.#budget + ((nowMs - this.#budgetAtMs) / 1000) * REFILL_PER_SECOND,
    )
    this.#budgetAtMs = nowMs
    if (this.#ledger.size >= maxEntries) this.#ledger.sweep(nowMs)
    return this.#budget >= 1
  }

  #schedule(): void {
    if (this.#working !== undefined) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#working = this.#turn().finally(() => {
        this.#working = undefined
        if (this.#state !== 'idle' || this.#ledger.size > 0) this.#schedule()
      })
    }, GATHER_MS)
  }

  /** One turn: whatever is due now. Turns follow each other while there is a table. */
  async #turn(): Promise<void> {
    const nowMs = this.#deps.now()
    this.#ledger.sweep(nowMs)
    if (nowMs - this.#lookedAtMs >= LOOK_MS) await this.look()
    if (this.#ledger.size > 0 || (this.#state !== 'idle' && nowMs - this.#lastEntryAtMs < IDLE_MS)) {
      if (nowMs >= this.#retryAtMs) await this.#keep(nowMs)
    } else await this.#leave()
  }

  async #keep(nowMs: number): Promise<void> {
    // Making all of it costs tenths of a second: releases are gathered for longer than additions.
    if (this.#wantsRemake && nowMs - this.#madeAtMs < REMAKE_MS) return
    if (this.#state !== 'active' || this.#wantsRemake) {
      this.#isMaking = true
      await this.#make()
      this.#isMaking = false
      return
    }
    if (this.#fresh.length > 0) {
      const fresh = this.#fresh
      this.#fresh = []
      this.#inHand = fresh.length
      const { fault } = await this.#run(addElements(this.#shape, fresh, nowMs))
      this.#inHand = 0
      if (fault !== '') {
        await this.#remake(fault)
        return
      }
    }
    if (nowMs - this.#provedAtMs < PROVE_MS) return
    this.#provedAtMs = nowMs
    const { fault } = await this.#run(proveMark(this.#shape))
    if (fault !== '') await this.#remake(fault)
    else if (this.#settings.mode === 'own') await this.#count()
  }

  /** Of a table to be made or emptied, all that shall stand there. */
  get #waiting(): number {
    return this.#state === 'active' && !this.#wantsRemake && !this.#isMaking
      ? this.#fresh.length + this.#inHand
      : this.#ledger.size
  }

  async #count(): Promise<void> {
    const { output } = await this.#run(takeCounts(this.#shape))
    const { packets, bytes } = readCounts(output)
    this.#counts = { packets: this.#counts.packets + packets, bytes: this.#counts.bytes + bytes }
  }

  async #remake(fault: string): Promise<void> {
    this.#remade++
    this.#say(
      'kernel-flushed',
      'warn',
      `another program took away what was in table inet ${this.#shape.table} (${fault}); it is made again`,
    )
    await this.#make()
  }

  /** The sets with exactly what the ledger says, and whatever of the table is missing. */
  async #make(): Promise<void> {
    this.#wantsRemake = false
    if (this.#session === undefined || this.#session.ended !== undefined) {
      const session = this.#deps.open((reason) => {
        if (this.#session === session && this.#state === 'active') this.#failed(reason)
      })
      this.#session = session
    }
    this.#fresh = []
    const elements = addElements(this.#shape, this.#ledger.standing(), this.#deps.now())
    let fault = 'nothing there'
    if (this.#state === 'active' || this.#settings.mode === 'set-only')
      fault = (await this.#run(emptySets(this.#shape) + mark(this.#shape) + elements)).fault
    if (fault !== '') fault = await this.#makeTable()
    if (fault === 'made') fault = (await this.#run(fillTable(this.#shape) + elements)).fault
    if (fault !== '') {
      this.#failed(fault)
      return
    }
    if (this.#state !== 'active')
      this.#say(
        'kernel-table',
        'info',
        `the kernel drops ${this.#ledger.size} addresses (table inet ${this.#shape.table})`,
      )
    this.#state = 'active'
    this.#fault = ''
    this.#retryMs = RETRY_MS
    this.#madeAtMs = this.#provedAtMs = this.#deps.now()
  }

  /** The empty table; 'made', or what is wrong. */
  async #makeTable(): Promise<string> {
    const plain = makeTable(this.#shape, { owned: false })
    if (this.#settings.mode === 'set-only') return (await this.#run(plain)).fault || 'made'
    // One that a killed helper of an old kernel left behind, or half of one of ours.
    await this.#run(removeTable(this.#shape))
    const { fault } = await this.#run(makeTable(this.#shape, { owned: true }))
    this.#owned = fault === ''
    return this.#owned || (await this.#run(plain)).fault === '' ? 'made' : fault
  }

  #run(commands: string): Promise<NftAnswer> {
    return this.#session?.run(commands) ?? Promise.resolve({ fault: 'no nft', output: '' })
  }

  #failed(reason: string): void {
    const fault = this.#session?.ended ?? reason
    if (this.#fault !== fault)
      this.#say(
        'kernel-fault',
        'error',
        `the kernel cannot be told whom to drop: ${explain(fault)}; Digue drops by itself`,
      )
    this.#fault = fault
    this.#state = 'fault'
    this.#retryAtMs = this.#deps.now() + this.#retryMs
    this.#retryMs = Math.min(LONGEST_RETRY_MS, 2 * this.#retryMs)
  }

  async #leave(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    this.#state = 'idle'
    this.#saidFull = false
    this.#fault = ''
    if (session === undefined) return
    await session.run(this.#settings.mode === 'own' ? removeTable(this.#shape) : emptySets(this.#shape))
    session.close()
  }

  #say(code: TableEvent['code'], level: TableEvent['level'], message: string): void {
    this.#deps.onEvent({ code, level, message })
  }
}

/** nft's words, with what to do. */
function explain(fault: string): string {
  if (/ENOENT/.test(fault)) return 'nft is not installed (apt install nftables)'
  if (/not permitted/i.test(fault))
    return 'nft may not change the tables (CAP_NET_ADMIN is missing, or another helper has table inet digue)'
  return fault
}
