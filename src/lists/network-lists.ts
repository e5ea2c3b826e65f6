/**
 * All lists of one Digue: fetched when due, judged by calm weather, laid over each other into one set.
 *
 * Runs in a thread of its own (lists-thread.ts), since reading half a million networks takes a second: nothing
 * here need be quick. A list that fails keeps what it had, is asked again after a minute, then two, up to its
 * own interval, and says so once. Call `tick` every second.
 */
import { readFile, stat } from 'node:fs/promises'
import { type HashKey, randomHashKey } from '#kit'
import { buildNetworkSet, layNetworkSets, type NetworkLayer, NetworkSet } from '#networks'
import { CalmSample } from './calm-sample.ts'
import { askCrowdSec } from './crowdsec-client.ts'
import { download } from './download.ts'
import { effectIndex } from './effects.ts'
import { FEWEST_CLIENTS, judge } from './judgement.ts'
import { type KeptContent, KeptCopies } from './kept-copies.ts'
import { type Content, contentOf, hasGrown, List } from './list.ts'
import type { ListEvent, ListSettings, ListStatus, Standing } from './list-types.ts'
import { MOST_BYTES } from './read-list.ts'

export interface NetworkListsOptions {
  /** Where copies are kept. */
  readonly folder: string
  readonly userAgent: string
  /** A new set for the edges; list i has the name `names[i]`. */
  readonly onChange: (memory: SharedArrayBuffer, names: readonly string[]) => void
  readonly onEvent: (event: ListEvent) => void
  /** Another set is in force: nothing is published before each list was looked at once, or half a minute has passed. */
  readonly isSuccessor?: boolean
  readonly now?: () => number
  readonly random?: () => number
  readonly key?: HashKey
  readonly download?: typeof download
}

/** A command that cannot be obeyed, in words for the operator. */
export class ListError extends Error {
  readonly code = 'DIGUE_LIST'
}

/** Of all lists together: some 40 MB in the set. */
const MOST_NETWORKS_IN_ALL = 2_000_000
const FIRST_RETRY_MS = 60_000
/** Of what is beside us: no harm in asking. */
const NEARBY_RETRY_MS = 10_000
/** Not all lists in the same second, nor all Digues of the world. */
const JITTER = 0.1
/** A file that changed so recently may be half written. */
const SETTLED_MS = 2000
const JUDGE_EVERY_MS = 10_000
const KEEP_VERDICT_EVERY_MS = 600_000
const AT_ONCE = 4
const LONGEST_HOLD_MS = 30_000
/** A command does not wait longer for what it started. */
const REFRESH_WAIT_MS = 8000

export class NetworkLists {
  readonly #options: NetworkListsOptions
  readonly #now: () => number
  readonly #random: () => number
  readonly #download: typeof download
  readonly #copies: KeptCopies
  readonly #calm: CalmSample
  #lists: List[] = []
  #isDirty = false
  /** Until when nothing is published; 0 for now. */
  #holdUntilMs: number
  #judgedAtMs = 0
  #busy = 0
  #isOpen: Promise<void> | undefined
  #configuring: Promise<void> = Promise.resolve()
  #keeping: Promise<void> = Promise.resolve()

  constructor(options: NetworkListsOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#random = options.random ?? Math.random
    this.#download = options.download ?? download
    this.#holdUntilMs = options.isSuccessor === true ? this.#now() + LONGEST_HOLD_MS : 0
    this.#copies = new KeptCopies(options.folder)
    this.#calm = new CalmSample(options.key ?? randomHashKey(), this.#now())
  }

  /** Lists that stay as they were written keep what they have. Resolves when kept copies are in force. */
  configure(settings: readonly ListSettings[]): Promise<void> {
    this.#configuring = this.#configuring.then(() => this.#configure(settings))
    return this.#configuring
  }

  /** Subscribers that came in calm weather. */
  calm(subscribers: readonly string[]): void {
    this.#calm.offer(subscribers, this.#now())
  }

  storm(): void {
    this.#calm.storm()
  }

  /** Requests that lists decided, by name. */
  hits(counts: Readonly<Record<string, number>>): void {
    for (const list of this.#lists) if (Object.hasOwn(counts, list.name)) list.hit(counts[list.name]!)
  }

  tick(): void {
    const nowMs = this.#now()
    this.#calm.settle(nowMs)
    for (const list of this.#lists) {
      list.turnHits(nowMs)
      if (list.decisions?.expire(nowMs) === true) this.#takeDecisions(list, nowMs)
      if (nowMs >= list.nextAtMs && this.#busy < AT_ONCE) void this.#refresh(list)
    }
    if (nowMs - this.#judgedAtMs >= JUDGE_EVERY_MS || nowMs < this.#judgedAtMs) {
      this.#judgedAtMs = nowMs
      for (const list of this.#lists) this.#judge(list, nowMs)
    }
    this.#publish()
  }

  status(): ListStatus[] {
    return this.#lists.map((list) => list.status())
  }

  /** Looks at one list, or all, now; waits for the answer a while. */
  async refresh(name?: string): Promise<ListStatus[]> {
    const lists = name === undefined ? this.#lists : [this.#find(name)]
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, REFRESH_WAIT_MS)))
    await Promise.race([Promise.all(lists.map((list) => this.#refresh(list))), patience])
    clearTimeout(timer)
    this.#publish()
    return lists.map((list) => list.status())
  }

  /** Lets a list act that was held back, or takes the larger copy that waits. Throws a ListError when there is neither. */
  async release(name: string): Promise<ListStatus> {
    const list = this.#find(name)
    const nowMs = this.#now()
    const { waiting } = list
    if (waiting !== undefined) {
      list.waiting = undefined
      list.kept = waiting.kept
      this.#take(list, waiting.content, nowMs)
      await this.#copies.writeBytes(list.name, waiting.bytes)
    } else if (list.standing === 'held' || list.standing === 'weight') {
      list.releasedShare = list.share ?? 0
      this.#judge(list, nowMs)
    } else
      throw new ListError(
        `list ${name} is not held back, nor waits for you; \`digue lists\` shows how it acts`,
      )
    await this.#keep(list, nowMs)
    this.#publish()
    return list.status()
  }

  /** Resolves when what is to be kept is kept. */
  async close(): Promise<void> {
    await this.#keeping
    for (const list of this.#lists) list.end()
  }

  async #configure(settings: readonly ListSettings[]): Promise<void> {
    this.#isOpen ??= this.#copies.open()
    await this.#isOpen
    const before = new Map(this.#lists.map((list) => [list.name, list]))
    const lists: List[] = []
    for (const wanted of settings) {
      const known = before.get(wanted.name)
      if (known !== undefined && JSON.stringify(known.settings) === JSON.stringify(wanted)) {
        before.delete(wanted.name)
        lists.push(known)
      } else lists.push(await this.#begin(wanted))
    }
    for (const gone of before.values()) gone.end()
    this.#lists = lists
    this.#isDirty = true
    await this.#copies.keepOnly(new Set(lists.map((list) => list.name)))
    const nowMs = this.#now()
    for (const list of lists) this.#judge(list, nowMs)
    this.#publish()
  }

  /** A list with what was kept of it. */
  async #begin(settings: ListSettings): Promise<List> {
    const list = new List(settings)
    const kept = await this.#copies.read(settings.name)
    list.keptVerdict = kept.verdict
    list.releasedShare = kept.releasedShare
    if (settings.url === undefined || kept.content?.url !== settings.url) return list
    const bytes = await this.#copies.bytes(settings.name, kept.content)
    if (bytes === undefined) return list
    const content = contentOf(list, bytes)
    if ('fault' in content) return list
    list.kept = kept.content
    list.content = content
    list.set = new NetworkSet(content.memory)
    list.updatedAtMs = kept.content.fetchedAtMs
    this.#say(
      list,
      'info',
      'list-loaded',
      `list ${list.name}: ${content.networks} networks, as they were on ${new Date(list.updatedAtMs).toISOString()}`,
    )
    return list
  }

  #find(name: string): List {
    const list = this.#lists.find((each) => each.name === name)
    if (list !== undefined) return list
    const names = this.#lists.map((each) => each.name).join(', ')
    throw new ListError(
      names === ''
        ? 'there are no lists; add some under `lists` in the configuration'
        : `there is no list ${JSON.stringify(name.slice(0, 64))}; there are ${names}`,
    )
  }

  #refresh(list: List): Promise<void> {
    list.refreshing ??= this.#look(list)
      .catch((error: Error) => this.#failed(list, error.message))
      .finally(() => {
        list.refreshing = undefined
        this.#busy--
      })
    return list.refreshing
  }

  async #look(list: List): Promise<void> {
    this.#busy++
    switch (list.source) {
      case 'file':
        return this.#lookAtFile(list, list.settings.file!)
      case 'url':
        return this.#lookAtUrl(list, list.settings.url!)
      case 'crowdsec':
        return this.#lookAtCrowdSec(list, list.settings.crowdsec!)
      default:
        list.source satisfies never
    }
  }

  async #lookAtFile(list: List, path: string): Promise<void> {
    let bytes: Buffer
    let stamp: string
    try {
      const found = await stat(path)
      // A device or a pipe need never end.
      if (!found.isFile()) return this.#failed(list, 'expected a file, got something else')
      const { mtimeMs, size, ino } = found
      stamp = `${mtimeMs} ${size} ${ino}`
      if (stamp === list.stamp) return this.#wasGood(list)
      const ageMs = this.#now() - mtimeMs
      if (list.content !== undefined && ageMs >= 0 && ageMs < SETTLED_MS) {
        list.nextAtMs = this.#now() + SETTLED_MS
        return
      }
      if (size > MOST_BYTES) return this.#failed(list, `expected at most ${MOST_BYTES / 1e6} MB, got more`)
      bytes = await readFile(path)
    } catch (error) {
      return this.#failed(list, `expected a file that can be read (${(error as NodeJS.ErrnoException).code})`)
    }
    const content = contentOf(list, bytes)
    if ('fault' in content) return this.#failed(list, content.fault)
    list.stamp = stamp
    this.#take(list, content, this.#now())
    this.#wasGood(list)
  }

  async #lookAtUrl(list: List, url: string): Promise<void> {
    const draft = this.#copies.newDraft(list.name)
    try {
      const result = await this.#download(url, draft, {
        userAgent: this.#options.userAgent,
        signal: list.signal,
        ...(list.kept === undefined ? {} : { validators: list.kept.validators }),
      })
      if (list.isGone) return
      if (result.kind === 'unchanged') this.#wasGood(list)
      else if (result.kind === 'failed') this.#failed(list, result.fault, result.retryAfterMs)
      else await this.#takeDownload(list, draft, { url, ...result, fetchedAtMs: this.#now() })
    } finally {
      await this.#copies.dropDraft(draft)
    }
  }

  async #takeDownload(list: List, draft: string, { url, sha256, validators, fetchedAtMs }: KeptContent) {
    const bytes = await readFile(draft)
    const content = contentOf(list, bytes)
    if ('fault' in content) return this.#failed(list, content.fault)
    const before = list.content
    if (content.networks === 0 && before !== undefined && before.networks > 0)
      return this.#failed(list, 'expected a list of networks, got an empty one')
    const kept: KeptContent = { url, sha256, validators, fetchedAtMs }
    if (before !== undefined && hasGrown(list, before, content)) {
      if (list.waiting?.content.networks !== content.networks)
        this.#say(
          list,
          'warn',
          'list-grown',
          `list ${list.name} has ${content.networks} networks now, ${before.networks} before: the old copy stays in force until \`digue lists release ${list.name}\``,
        )
      list.waiting = { content, kept, bytes }
      return this.#wasGood(list)
    }
    list.waiting = undefined
    list.kept = kept
    this.#take(list, content, fetchedAtMs)
    if (!(await this.#copies.keepBytes(list.name, draft))) list.kept = undefined
    await this.#keep(list, fetchedAtMs)
    this.#wasGood(list)
  }

  async #lookAtCrowdSec(list: List, address: NonNullable<ListSettings['crowdsec']>): Promise<void> {
    const result = await askCrowdSec(address, list.isWhole, {
      userAgent: this.#options.userAgent,
      signal: list.signal,
    })
    if (list.isGone) return
    const applied =
      result.kind === 'failed' ? result : list.decisions!.apply(result.answer, list.isWhole, this.#now())
    if ('fault' in applied) {
      // What it told meanwhile is lost to us: it remembers what it has told.
      list.isWhole = true
      return this.#failed(list, applied.fault)
    }
    list.isWhole = false
    if (applied.changed || list.content === undefined) this.#takeDecisions(list, this.#now())
    this.#wasGood(list)
  }

  #takeDecisions(list: List, nowMs: number): void {
    const { ignored, wrong, leftOut } = list.decisions!
    const { groups, networks, local, wide } = list.decisions!.groups()
    const memory = buildNetworkSet(groups)
    this.#take(
      list,
      { memory, networks, wrong, examples: [], local, wide, leftOut, ignored, extent: 0 },
      nowMs,
    )
  }

  #take(list: List, content: Content, nowMs: number): void {
    const isFirst = list.content === undefined
    list.content = content
    list.set = new NetworkSet(content.memory)
    list.updatedAtMs = nowMs
    this.#isDirty = true
    this.#judge(list, nowMs)
    if (isFirst)
      this.#say(
        list,
        'info',
        'list-loaded',
        `list ${list.name}: ${content.networks} networks${content.wrong > 0 ? `, ${content.wrong} lines that are none` : ''}`,
      )
  }

  #wasGood(list: List): void {
    const nowMs = this.#now()
    list.checkedAtMs = nowMs
    list.nextAtMs = nowMs + list.refreshMs * (1 + JITTER * (2 * this.#random() - 1))
    list.failures = 0
    if (list.fault === '') return
    list.fault = ''
    this.#say(list, 'info', 'list-recovered', `list ${list.name} can be read again`)
  }

  #failed(list: List, fault: string, retryAfterMs = 0): void {
    if (list.isGone) return
    const nowMs = this.#now()
    const first = list.source === 'url' ? FIRST_RETRY_MS : NEARBY_RETRY_MS
    const waitMs = Math.min(first * 2 ** Math.min(list.failures, 20), Math.max(list.refreshMs, first))
    list.checkedAtMs = nowMs
    list.nextAtMs = nowMs + Math.max(waitMs, retryAfterMs) * (1 + JITTER * this.#random())
    list.failures++
    if (list.fault === fault) return
    const isNews = list.fault === ''
    list.fault = fault
    if (!isNews) return
    const rest =
      list.content === undefined
        ? 'nothing of it is in force'
        : `the ${list.content.networks} networks of ${new Date(list.updatedAtMs).toISOString()} stay in force`
    this.#say(list, 'warn', 'list-failing', `list ${list.name}: ${fault}; ${rest}`)
  }

  #judge(list: List, nowMs: number): void {
    if (list.content === undefined) return
    const clients = this.#calm.size
    const { standing, share, ...judged } = judge({
      effect: list.effect,
      clients,
      touched: clients >= FEWEST_CLIENTS ? this.#calm.touchedBy(list.set) : 0,
      networks: list.content.networks,
      wasHeld: list.standing === 'held',
      releasedShare: list.releasedShare,
      kept: list.keptVerdict,
      nowMs,
    })
    list.share = share
    list.clients = judged.clients
    const before = list.standing
    list.standing = standing
    if (standing !== before) {
      this.#isDirty = true
      this.#sayStanding(list, before)
    }
    if (clients >= FEWEST_CLIENTS && share !== undefined) {
      list.keptVerdict = { share, clients, networks: list.content.networks, atMs: nowMs }
      if (Math.abs(nowMs - list.verdictKeptAtMs) >= KEEP_VERDICT_EVERY_MS) void this.#keep(list, nowMs)
    }
  }

  #sayStanding(list: List, before: Standing): void {
    const percent = ((list.share ?? 0) * 100).toFixed(1)
    if (list.standing === 'held')
      this.#say(
        list,
        'warn',
        'list-held',
        `list ${list.name} is held back: ${percent} % of the clients of calm weather are on it; \`digue lists release ${list.name}\` lets it act`,
      )
    else if (list.standing === 'weight')
      this.#say(
        list,
        'info',
        'list-weight',
        `list ${list.name} weighs at most until ${FEWEST_CLIENTS} clients were seen in calm weather (${this.#calm.size} so far)`,
      )
    else if (before === 'held' || before === 'weight')
      this.#say(list, 'info', 'list-acting', `list ${list.name} acts in full now`)
  }

  /** One after the other: two would write the same draft. */
  #keep(list: List, nowMs: number): Promise<void> {
    list.verdictKeptAtMs = nowMs
    this.#keeping = this.#keeping.then(async () => {
      if (list.isGone) return
      await this.#copies.write(list.name, {
        ...(list.kept === undefined ? {} : { content: list.kept }),
        ...(list.keptVerdict === undefined ? {} : { verdict: list.keptVerdict }),
        ...(list.releasedShare === undefined ? {} : { releasedShare: list.releasedShare }),
      })
    })
    return this.#keeping
  }

  /** One set of all that act, if anything changed. */
  #publish(): void {
    if (!this.#isDirty) return
    if (this.#now() < this.#holdUntilMs && this.#lists.some((list) => list.checkedAtMs === 0)) return
    this.#holdUntilMs = 0
    this.#isDirty = false
    const layers: NetworkLayer[] = []
    let networks = 0
    for (const [index, list] of this.#lists.entries()) {
      if (list.content === undefined || list.standing === 'held') continue
      const wasLeftOut = list.isLeftOut
      list.isLeftOut = networks + list.content.networks > MOST_NETWORKS_IN_ALL
      if (list.isLeftOut) {
        if (wasLeftOut) continue
        this.#say(
          list,
          'warn',
          'list-left-out',
          `list ${list.name} is left out: with it there would be more than ${MOST_NETWORKS_IN_ALL} networks`,
        )
        continue
      }
      networks += list.content.networks
      layers.push({
        memory: list.content.memory,
        list: index,
        ...(list.standing === 'weight' ? { atMost: effectIndex('weight') } : {}),
      })
    }
    this.#options.onChange(
      layNetworkSets(layers),
      this.#lists.map((list) => list.name),
    )
  }

  #say(list: List, level: ListEvent['level'], code: string, message: string): void {
    this.#options.onEvent({ level, code, list: list.name, message })
  }
}
