/** nft without a kernel: the commands that ruleset.ts makes, each file of them all or nothing. */
import type { Session } from './drop-table.ts'
import type { NftAnswer } from './nft-session.ts'

interface FakeTable {
  readonly owner: FakeSession | undefined
  readonly sets: Map<string, Set<string>>
  chain: boolean
}

/** The tables of one machine, which several sessions share. */
export class FakeKernel {
  tables = new Map<string, FakeTable>()
  sessions: FakeSession[] = []
  knowsOwners = true
  mayChange = true
  /** Packets that the next reading of the counters gives. */
  packets = 0

  open(onEnd: (reason: string) => void): Session {
    const session = new FakeSession(this, onEnd)
    this.sessions.push(session)
    return session
  }

  /** What another program's `nft flush ruleset` does: owned tables stay. */
  flush(): void {
    for (const [name, { owner }] of this.tables) if (owner === undefined) this.tables.delete(name)
  }

  elements(set: string, table = 'digue'): string[] {
    return [...(this.tables.get(table)?.sets.get(set) ?? [])].filter((text) => text !== '255.255.255.255')
  }
}

export class FakeSession implements Session {
  ended: string | undefined
  readonly commands: string[] = []
  readonly #kernel: FakeKernel
  readonly #onEnd: (reason: string) => void

  constructor(kernel: FakeKernel, onEnd: (reason: string) => void) {
    this.#kernel = kernel
    this.#onEnd = onEnd
  }

  async run(commands: string): Promise<NftAnswer> {
    if (this.ended !== undefined) return { fault: this.ended, output: '' }
    this.commands.push(commands)
    const kernel = this.#kernel
    const before = structuredCloneTables(kernel.tables)
    let output = ''
    for (const command of commands.split('\n').filter((line) => line !== '')) {
      const fault = this.#apply(command)
      if (fault !== '') {
        kernel.tables = before
        return { fault, output: '' }
      }
      if (command.startsWith('reset counters')) {
        output = `packets ${kernel.packets} bytes ${60 * kernel.packets}`
        kernel.packets = 0
      }
    }
    return { fault: '', output }
  }

  /** The process dies, and its tables with it. */
  die(reason = 'nft ended (SIGKILL)'): void {
    if (this.ended !== undefined) return
    this.ended = reason
    for (const [name, { owner }] of this.#kernel.tables) if (owner === this) this.#kernel.tables.delete(name)
    this.#onEnd(reason)
  }

  close(): void {
    this.die('nft ended (exit code 0)')
  }

  #apply(command: string): string {
    const kernel = this.#kernel
    if (!kernel.mayChange) return 'Could not process rule: Operation not permitted'
    const [verb, noun, , name = '', set = ''] = command.split(' ')
    const table = kernel.tables.get(name)
    if (table?.owner !== undefined && table.owner !== this)
      return 'Could not process rule: Operation not permitted'
    if (verb === 'add' && noun === 'table') {
      const isOwned = command.includes('owner')
      if (isOwned && !kernel.knowsOwners) return 'syntax error, unexpected owner'
      if (table !== undefined) return isOwned === (table.owner !== undefined) ? '' : 'Operation not supported'
      kernel.tables.set(name, { owner: isOwned ? this : undefined, sets: new Map(), chain: false })
      return ''
    }
    if (verb === 'reset') return ''
    if (table === undefined) return 'No such file or directory'
    if (verb === 'delete' && noun === 'table') kernel.tables.delete(name)
    else if (noun === 'chain') table.chain = true
    else if (noun === 'set' && verb === 'add') table.sets.set(set, table.sets.get(set) ?? new Set())
    else if (noun === 'set' || noun === 'element') {
      const elements = table.sets.get(set)
      if (elements === undefined) return 'No such file or directory'
      if (verb === 'flush') elements.clear()
      const given = /\{ (.*) \}/.exec(command)?.[1]?.split(', ') ?? []
      for (const text of given.map((one) => one.split(' ')[0]!)) {
        if (verb === 'add') elements.add(text)
        else if (!elements.delete(text)) return 'No such file or directory'
      }
    }
    return ''
  }
}

function structuredCloneTables(tables: FakeKernel['tables']): FakeKernel['tables'] {
  return new Map(
    [...tables].map(([name, table]) => [
      name,
      { ...table, sets: new Map([...table.sets].map(([set, elements]) => [set, new Set(elements)])) },
    ]),
  )
}
