/**
 * A serving process put together: configuration → edge threads → reports → brain → policy, with the
 * log, the figures, the command socket and the state directory beside them.
 *
 * What may fail without ending service does so: the metrics port when it is only convenient, the
 * access log, the state. What must hold before the first request: the configuration, the ports, and
 * that no other Digue has this state directory.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { destination, type Logger, pino } from 'pino'
import { parsePurge } from '#cache'
import { type Config, formatFault, parseLoopback, type ReadResult } from '#config'
import {
  type CacheReport,
  type CacheStatus,
  type CommandSocket,
  type Commands,
  LiveFigures,
  Metrics,
  type MetricsPort,
  openCommandSocket,
  openMetricsPort,
  RuleTotals,
  SampleDesk,
  type Status,
} from '#console'
import { Brain, type DecisionWish, type EdgeReport, type Policy, readMaster, StateFile } from '#control'
import { type Edge, type EdgeEvent, startEdge } from '#edge'
import { KernelDrop } from '#kernel'
import { type ListEvent, type Lists, startLists } from '#lists'
import { AccessLog } from './access-log.ts'
import { descriptorLimit } from './doctor.ts'
import { spawnHelper, tableSettings } from './kernel.ts'
import { calmSubscribers, listHits } from './list-feed.ts'
import { learnFromLogs, type OldLog } from './old-log.ts'
import { CliError, EXIT, type Terminal } from './output.ts'
import { plainLines } from './plain-log.ts'
import { RequestLog } from './request-log.ts'
import { withSelfSigned } from './self-signed.ts'
import { SignatureLog } from './signature-log.ts'
import { version } from './version.ts'

export interface ServeOptions {
  readonly terminal: Terminal
  /** Reads the configuration anew, for SIGHUP. */
  readonly read: () => ReadResult
  readonly selfSigned?: boolean
  readonly baselineFrom?: readonly OldLog[]
  /** For somebody at a terminal who tries it out: no JSON, and nothing about limits that only production meets. */
  readonly plainLog?: boolean
  readonly onReady?: (ports: readonly number[]) => void
}

const DRAIN_MS = 20_000
const BRAIN_MS = 250
const SAVE_MS = 60_000
/** The figures do not wait longer for the library of stored responses. */
const CACHE_REPORT_MS = 1000
const MAX_SITES_IN_STATUS = 100
const MAX_WARNINGS = 20

/** Serves until it is told to end, and resolves when everything is closed. */
export async function serve(config: Config, options: ServeOptions): Promise<void> {
  const service = new Service(config, options)
  await service.start()
  await service.ended
}

class Service {
  readonly ended: Promise<void>
  readonly #options: ServeOptions
  readonly #stdout = destination({ dest: 1, sync: false, maxLength: 4_000_000 })
  readonly #log: Logger
  readonly #metrics = new Metrics(version())
  readonly #live = new LiveFigures()
  readonly #requestLog: RequestLog
  readonly #startedAtMs = Date.now()
  /** Code of a trouble → its latest message: what `status` shows until it is over. */
  readonly #warnings = new Map<string, string>()
  readonly #stateFile: StateFile
  #brain: Brain
  #policySerial = -1
  readonly #rules = new RuleTotals()
  readonly #samples = new SampleDesk()
  #wantsLooks = false
  readonly #signatureLog: SignatureLog
  #config: Config
  #edge: Edge | undefined
  #socket: CommandSocket | undefined
  #kernel: KernelDrop
  readonly #lists: Lists
  #metricsPort: MetricsPort | undefined
  #cacheReport: Promise<CacheReport | undefined> | undefined
  #accessLog: AccessLog | undefined
  #timers: NodeJS.Timeout[] = []
  #postures: Policy['postures'] = {}
  /** Name of the dangerous date that was told last. */
  #armedFor: string | undefined
  #untrustedForwarder = ''
  #reloading: Promise<void> = Promise.resolve()
  #stopping = false
  #resolveEnded!: () => void

  constructor(config: Config, options: ServeOptions) {
    this.#config = config
    this.#options = options
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
    // A reader that went away (EPIPE) must not end the service.
    this.#stdout.on('error', () => {})
    this.#stdout.on('drop', () => this.#metrics.logLinesLeftOut(1))
    this.#log = pino(
      {
        level: config.log.level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      options.plainLog === true ? plainLines(this.#stdout) : this.#stdout,
    )
    this.#requestLog = new RequestLog(this.#log, config.log, (count) => this.#metrics.logLinesLeftOut(count))
    this.#signatureLog = new SignatureLog(this.#log, (count) => this.#metrics.logLinesLeftOut(count))
    this.#stateFile = new StateFile(join(config.state, 'brain.json'))
    this.#brain = new Brain({ sites: siteNames(config) }, Date.now())
    this.#kernel = new KernelDrop({
      ...config.kernel,
      spawn: () => spawnHelper(tableSettings(this.#config, this.#edge?.ports)),
      onEvent: ({ level, code, message }) => this.#edgeEvent({ level, code, message, thread: -1 }),
    })
    this.#lists = this.#makeLists(join(config.state, 'lists'))
  }

  #makeLists(folder: string): Lists {
    return startLists({
      folder,
      userAgent: `digue/${version()}`,
      onChange: (memory, names) => this.#edge?.setLists(memory, names),
      onEvent: (event) => this.#guard('lists', () => this.#listEvent(event)),
    })
  }

  async start(): Promise<void> {
    if (this.#options.selfSigned === true) this.#config = withSelfSigned(this.#config, Date.now())
    const config = this.#config
    makeStateFolder(config.state)
    // First the socket: it tells whether another Digue has this state directory.
    try {
      this.#socket = await openCommandSocket(config.admin.socket, this.#commands())
    } catch (error) {
      throw new CliError(`admin.socket: ${(error as Error).message}`, EXIT.failed, { cause: error })
    }
    try {
      this.#sayLimits()
      await this.#remember(config)
      const { secret, fault } = await readMaster(config.keys)
      if (fault !== '') this.#trouble('keys', fault)
      this.#edge = await startEdge(config, {
        master: secret,
        policy: this.#brain.policy,
        // The edge makes it; without it, stored pages are kept in memory only.
        cacheDirectory: join(config.state, 'cache'),
        weightsOf: (site) => this.#brain.weights(site),
        weights: this.#brain.overallWeights,
        routeCostsOf: (site) => this.#brain.routeCosts(site),
        onReport: (report) => this.#guard('report', () => this.#take(report)),
        onEvent: (event) => this.#guard('event', () => this.#edgeEvent(event)),
      })
    } catch (error) {
      await this.#socket.close()
      throw new CliError(startFault(error as NodeJS.ErrnoException), EXIT.failed, { cause: error })
    }
    await this.#openMetrics()
    this.#openAccessLog()
    void this.#kernel.open()
    this.#lists.configure(config.lists)
    this.#every(BRAIN_MS, 'brain', () => this.#tick())
    this.#every(SAVE_MS, 'save', () => void this.#save())
    this.#handleSignals()
    this.#log.info(
      {
        ports: this.#edge.ports,
        threads: this.#edge.threads,
        sites: config.sites.length,
        version: version(),
      },
      'serving',
    )
    this.#options.onReady?.(this.#edge.ports)
  }

  #take(report: EdgeReport): void {
    const nowMs = Date.now()
    this.#brain.receive(report, nowMs)
    this.#live.take(report, nowMs)
    this.#metrics.report(report)
    const { bypass, attack } = this.#brain.policy
    if (report.offenders !== undefined && !bypass && attack !== 'off') this.#kernel.offend(report.offenders)
    if (this.#config.lists.length > 0) this.#tellLists(report)
    this.#accessLog?.append(report.records, nowMs)
    // Kept apart from the access log's losses: an edge drops a record before either is written.
    if (this.#accessLog !== undefined && report.recordsLost > 0)
      this.#metrics.accessLogLost(report.recordsLost)
    this.#requestLog.offer(report, nowMs)
    for (const [site, { rules }] of Object.entries(report.sites))
      if (rules !== undefined) this.#rules.take(site, rules, nowMs)
    this.#samples.take(report.records, report.recordsLost, nowMs)
  }

  #tellLists(report: EdgeReport): void {
    this.#lists.calm(calmSubscribers(report, this.#brain.policy))
    const hits = listHits(report)
    if (Object.keys(hits).length > 0) this.#lists.hits(hits)
  }

  #tick(): void {
    const nowMs = Date.now()
    this.#requestLog.tick(nowMs)
    const policy = this.#brain.tick(nowMs)
    const wantsLooks = this.#samples.isWanted(nowMs)
    if (policy.serial !== this.#policySerial || wantsLooks !== this.#wantsLooks) {
      this.#sayPostures(policy)
      this.#signatureLog.tell(policy.signatures, nowMs)
      this.#policySerial = policy.serial
      this.#wantsLooks = wantsLooks
      this.#edge?.setPolicy(wantsLooks ? { ...policy, wantsLooks } : policy)
    }
  }

  /** Read when they are asked for: with thousands of sites this is no work for every tick. */
  async #figures(): Promise<string> {
    const { attack, bypass, decisions, postures } = this.#brain.policy
    this.#metrics.policy({ attack, bypass, decisions: decisions.length })
    this.#metrics.sites(
      this.#config.sites.map((site) => {
        const name = site.hosts[0]!
        const capacity = this.#edge?.capacityOf(name)
        const room = this.#edge?.waitingRoomOf(name)
        return {
          name,
          posture: postures[name] ?? 'calm',
          limit: capacity?.limit ?? 0,
          inFlight: capacity?.inFlight ?? 0,
          waitingRoom: room?.waiting ?? 0,
          waitingRoomLost: (room?.lost ?? 0) + (room?.evicted ?? 0),
          signatures: this.#brain.signatureSummary(name),
        }
      }),
    )
    if (this.#edge !== undefined) this.#metrics.entrance(this.#edge.entrance)
    this.#metrics.kernel(await this.#kernel.status())
    this.#metrics.lists(await this.#lists.status().catch(() => []), Date.now())
    const cache = await Promise.race([this.#reportCache(), delay(CACHE_REPORT_MS, undefined, { ref: false })])
    if (cache !== undefined) this.#metrics.cache(cache, this.#config.cache)
    return this.#metrics.text()
  }

  /** Asked once for all that wait: the library answers late when it had to be started again. */
  #reportCache(): Promise<CacheReport | undefined> {
    this.#cacheReport ??= (this.#edge?.cacheReport() ?? Promise.resolve(undefined))
      .catch(() => undefined)
      .finally(() => {
        this.#cacheReport = undefined
      })
    return this.#cacheReport
  }

  #edgeEvent(event: EdgeEvent): void {
    const { level, code, message, thread } = event
    this.#log[level]({ code, thread }, message)
    if (code === 'untrusted-proxy') this.#untrustedForwarder = event.subject ?? ''
    if (code === 'kernel-table' || code === 'kernel-ready')
      for (const over of ['kernel-fault', 'kernel-lost']) this.#warnings.delete(over)
    if (level !== 'info') this.#warn(code, message)
  }

  #forgetListWarnings(
    name: string,
    codes = ['list-held', 'list-grown', 'list-failing', 'list-left-out'],
  ): void {
    for (const code of codes) this.#warnings.delete(`${code} ${name}`)
  }

  #warn(code: string, message: string): void {
    this.#warnings.delete(code)
    this.#warnings.set(code, `${new Date().toISOString()} ${message}`)
    if (this.#warnings.size > MAX_WARNINGS) this.#warnings.delete(this.#warnings.keys().next().value!)
  }

  #listEvent({ level, code, list, message }: ListEvent): void {
    this.#log[level]({ code, list }, message)
    if (code === 'list-recovered') this.#warnings.delete(`list-failing ${list}`)
    if (code === 'list-acting') this.#warnings.delete(`list-held ${list}`)
    if (level === 'warn') this.#warn(`${code} ${list}`, message)
  }

  #commands(): Commands {
    // Not bound early: the brain that goes on from the state file comes after the socket.
    const brain = () => this.#brain
    const changed = (what: object) => {
      this.#log.warn(what, 'the operator decided')
      this.#tick()
      void this.#save()
    }
    return {
      status: () => this.#status(),
      attack: (mode: 'on' | 'off' | 'auto') => {
        brain().attack(mode)
        if (mode === 'off') this.#kernel.release('all')
        changed({ attack: mode })
      },
      bypass: (on: boolean) => {
        brain().bypass(on)
        if (on) this.#kernel.release('all')
        changed({ bypass: on })
      },
      decisions: () => brain().decisions(),
      addDecision: (wish: DecisionWish) => {
        const decision = brain().addDecision(wish, Date.now())
        // By what else they were let in, entries do not say: they come again if they go on.
        if (wish.effect === 'allow') this.#kernel.release(wish.cidr === undefined ? 'all' : [wish.cidr])
        changed({ decision })
        return decision
      },
      deleteDecision: (id: string) => {
        const found = brain().deleteDecision(id)
        if (found) changed({ deleted: id })
        return found
      },
      signatures: (site) => brain().signatures(site),
      changeSignature: (wish) => {
        const changes = brain().changeSignature(wish, Date.now())
        changed({ signature: wish })
        return changes
      },
      cache: () => this.#cacheStatus(),
      kernel: () => this.#kernel.status(),
      lists: () => this.#lists.status(),
      refreshLists: (name) => this.#lists.refresh(name),
      releaseList: async (name) => {
        const list = await this.#lists.release(name)
        this.#log.warn({ list: name, standing: list.standing }, 'the operator released a list')
        this.#forgetListWarnings(name, ['list-held', 'list-grown'])
        return list
      },
      purge: async (given) => {
        const what = parsePurge(given)
        if ('faults' in what) throw new CliError(what.faults.join('\n'))
        if (this.#edge === undefined) throw new CliError('Digue is still starting; try again in a moment')
        const removed = await this.#edge.purge(what)
        this.#log.warn({ purge: what, removed }, 'the operator purged stored pages')
        return removed
      },
      rules: () => this.#rules.status(this.#config.sites, Date.now()),
      samples: (after) => {
        const samples = this.#samples.since(after, Date.now())
        this.#tick()
        return { ...samples, postures: this.#brain.policy.postures }
      },
      diagnosis: () => ({
        untrustedForwarder: this.#untrustedForwarder,
        openDescriptors: openDescriptors(),
        connectionBudget: this.#config.limits.connections,
        listen: this.#config.listen.map(({ address, port, tls }) => ({ address, port, tls })),
        threads: this.#edge?.threads ?? 0,
      }),
    }
  }

  #status(): Status {
    const nowMs = Date.now()
    const brain = this.#brain.status((site) => this.#edge?.capacityOf(site))
    const configs = new Map(this.#config.sites.map((site) => [site.hosts[0]!, site]))
    const all = brain.sites.map((site) => {
      const { perSecond, reasonsPerSecond, lanesPerSecond, p50Ms, p99Ms } = this.#live.site(site.name, nowMs)
      const config = configs.get(site.name)
      return {
        ...site,
        perSecond,
        reasonsPerSecond,
        lanesPerSecond,
        p50Ms,
        p99Ms,
        hosts: config?.hosts ?? [],
        mode: config?.mode ?? 'protect',
      }
    })
    if (all.length > MAX_SITES_IN_STATUS) all.sort((a, b) => b.lastMinute.requests - a.lastMinute.requests)
    return {
      version: version(),
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      threads: this.#edge?.threads ?? 0,
      ports: this.#edge?.ports ?? [],
      attack: brain.attack,
      bypass: brain.bypass,
      armed: brain.armed,
      decisions: brain.decisions,
      sites: all.slice(0, MAX_SITES_IN_STATUS),
      sitesLeftOut: Math.max(0, all.length - MAX_SITES_IN_STATUS),
      recordsLost: brain.recordsLost,
      warnings: [...this.#warnings.values()],
    }
  }

  async #cacheStatus(): Promise<CacheStatus> {
    const { memory, disk } = this.#config.cache
    const nowMs = Date.now()
    const sites = this.#config.sites.map(({ hosts, mode, cache }) => {
      const { fromStorePerSecond, perSecond } = this.#live.site(hosts[0]!, nowMs)
      return {
        name: hosts[0]!,
        stores: cache.enabled && mode === 'protect',
        fromStore: fromStorePerSecond,
        fromOrigin: (perSecond['relay'] ?? 0) + (perSecond['fail'] ?? 0),
        requests: Object.values(perSecond).reduce((total, rate) => total + rate, 0),
      }
    })
    if (sites.length > MAX_SITES_IN_STATUS) sites.sort((a, b) => b.requests - a.requests)
    return {
      library: await this.#reportCache(),
      memoryBytes: memory,
      diskBytes: disk,
      sites: sites.slice(0, MAX_SITES_IN_STATUS).map(({ requests: _, ...site }) => site),
      sitesLeftOut: Math.max(0, sites.length - MAX_SITES_IN_STATUS),
    }
  }

  async #openMetrics(): Promise<void> {
    const at = this.#config.admin.metrics === 'off' ? undefined : parseLoopback(this.#config.admin.metrics)
    if (at === undefined) return
    try {
      this.#metricsPort = await openMetricsPort(at, {
        text: () => this.#figures(),
        isHealthy: () => !this.#stopping,
      })
    } catch (error) {
      // Figures are for looking on; visitors are served without.
      this.#trouble(
        'metrics-port',
        `admin.metrics: ${this.#config.admin.metrics} cannot be opened (${(error as Error).message}); serving without it`,
      )
    }
  }

  #openAccessLog(): void {
    const path = this.#config.log.access
    if (this.#accessLog?.path === path) return
    void this.#accessLog?.close()
    this.#accessLog =
      path === undefined
        ? undefined
        : new AccessLog(path, {
            onLost: (lines) => this.#metrics.accessLogLost(lines),
            onTrouble: (message) => this.#trouble('access-log', message),
          })
  }

  #trouble(code: string, message: string): void {
    this.#edgeEvent({ level: 'error', code, message, thread: -1 })
  }

  #sayLimits(): void {
    const limit = descriptorLimit()
    if (limit === undefined || limit >= (this.#options.plainLog === true ? 4096 : 65_536)) return
    this.#log.warn(
      { code: 'descriptors', limit },
      `${limit} open files are allowed (ulimit -n): room for about ${Math.floor((limit * 2) / 3)} connections`,
    )
  }

  /** What was learned before the restart, and from old logs. */
  async #remember(config: Config): Promise<void> {
    const kept = await this.#stateFile.read()
    if (this.#stateFile.fault !== '') this.#trouble('state', this.#stateFile.fault)
    this.#brain = Brain.fromState(kept, { sites: siteNames(config) }, Date.now())
    this.#brain.setCalendar(config.calendar)
    const logs = this.#options.baselineFrom ?? []
    if (logs.length === 0) return
    let saidAtMs = 0
    const results = await learnFromLogs(logs, {
      brain: this.#brain,
      config,
      onProgress: (path, ratio) => {
        if (Date.now() - saidAtMs < 1000) return
        saidAtMs = Date.now()
        this.#log.info(
          { code: 'baseline', path, ratio: Math.round(ratio * 100) / 100 },
          'reading the old access log',
        )
      },
      onNote: (message) => this.#log.warn({ code: 'baseline' }, message),
    })
    for (const { site, requests, isReady } of results) {
      if (isReady)
        this.#log.info(
          { code: 'baseline', site, requests },
          'calm weather was learned from the old access log',
        )
      else
        this.#log.warn(
          { code: 'baseline', site, requests },
          'the old access log holds too little of this site to learn from (200 requests of 20 clients at least)',
        )
    }
    if (results.length === 0)
      this.#log.warn({ code: 'baseline' }, 'the old access log holds no request of a site here')
  }

  async #save(): Promise<void> {
    const { failures } = this.#stateFile
    await this.#stateFile.write(this.#brain.toState())
    if (this.#stateFile.failures > failures) {
      this.#metrics.stateError()
      this.#trouble('state', `what was learned cannot be kept (${this.#stateFile.fault}); serving goes on`)
    } else if (this.#stateFile.fault === '') this.#warnings.delete('state')
  }

  #sayPostures(policy: Policy): void {
    for (const [site, posture] of Object.entries(policy.postures)) {
      const before = this.#postures[site] ?? 'calm'
      if (before === 'calm' && posture !== 'calm') this.#lists.storm()
      if (posture !== before)
        this.#log.warn({ code: 'posture', site, posture, before }, `${site} is ${posture}, was ${before}`)
    }
    this.#postures = policy.postures
    if (policy.armed?.name === this.#armedFor) return
    this.#armedFor = policy.armed?.name
    this.#log.warn(
      { code: 'armed', date: this.#armedFor ?? '' },
      this.#armedFor === undefined ? 'no dangerous date is near any more' : `armed for ${this.#armedFor}`,
    )
  }

  #handleSignals(): void {
    process.on('SIGHUP', this.#onHup)
    process.on('SIGTERM', this.#onTerm)
    process.on('SIGINT', this.#onTerm)
    // The edges go on with their last policy whatever breaks here.
    process.on('uncaughtException', this.#onFault)
    process.on('unhandledRejection', this.#onFault)
  }

  readonly #onHup = () => {
    this.#reloading = this.#reloading.then(() => this.#reload()).catch(this.#onFault)
  }

  readonly #onTerm = (signal: NodeJS.Signals) => {
    if (this.#stopping) {
      this.#log.warn({ signal }, 'ending at once')
      void this.#edge?.close()
      return
    }
    this.#stopping = true
    this.#stop(signal).catch(this.#onFault)
  }

  readonly #onFault = (fault: unknown) => {
    const error = fault instanceof Error ? fault : new Error(String(fault))
    this.#log.error(
      { code: 'fault', stack: error.stack },
      `a fault of Digue itself: ${error.message}; serving goes on`,
    )
  }

  async #reload(): Promise<void> {
    this.#accessLog?.reopen()
    const result = this.#options.read()
    if (!result.ok) {
      this.#log.error(
        { code: 'reload', faults: result.faults.map(formatFault) },
        `reload: ${result.faults.length} faults; the old configuration stays in force`,
      )
      return
    }
    const before = this.#config
    const config =
      this.#options.selfSigned === true ? withSelfSigned(result.config, Date.now()) : result.config
    // Tables of new sites must be there before the edge asks for them; old ones stay until it agreed.
    this.#brain.configure([...new Set([...siteNames(before), ...siteNames(config)])], Date.now())
    try {
      await this.#edge!.reload(config)
    } catch (error) {
      this.#brain.configure(siteNames(before), Date.now())
      this.#log.error(
        { code: 'reload' },
        `reload: ${(error as Error).message}; the old configuration stays in force`,
      )
      return
    }
    this.#config = config
    this.#brain.configure(siteNames(config), Date.now())
    this.#brain.setCalendar(config.calendar)
    this.#untrustedForwarder = ''
    // A proxy that is trusted from now on may have been silenced as its clients' one sender.
    if (JSON.stringify(before.trustedProxies) !== JSON.stringify(config.trustedProxies))
      this.#kernel.release('all')
    const names = new Set(config.sites.map((site) => site.hosts[0]!))
    this.#live.keepOnly(names)
    this.#rules.keepOnly(config.sites)
    this.#metrics.keepOnly(names)
    this.#log.level = config.log.level
    this.#requestLog.configure(config.log)
    this.#openAccessLog()
    const stayed = new Set(config.lists.map((list) => JSON.stringify(list)))
    for (const list of before.lists)
      if (!stayed.has(JSON.stringify(list))) this.#forgetListWarnings(list.name)
    this.#lists.configure(config.lists)
    const fixed = (['state', 'keys', 'threads', 'networks', 'cache', 'kernel', 'admin'] as const).filter(
      (name) => JSON.stringify(before[name]) !== JSON.stringify(config[name]),
    )
    if (fixed.length > 0)
      this.#log.warn(
        { code: 'reload', settings: fixed },
        `reload: ${fixed.join(', ')} changes only with a restart`,
      )
    this.#log.info(
      { code: 'reload', sites: config.sites.length },
      'reload: the new configuration is in force',
    )
  }

  async #stop(signal: string): Promise<void> {
    this.#log.info({ signal }, `draining: no new connections, ${DRAIN_MS / 1000} s for what is open`)
    await this.#edge?.drain(DRAIN_MS)
    for (const timer of this.#timers) clearInterval(timer)
    this.#kernel.close()
    await this.#lists.close()
    await this.#save()
    await Promise.all([this.#metricsPort?.close(), this.#socket?.close(), this.#accessLog?.close()])
    process.off('SIGHUP', this.#onHup)
    process.off('SIGTERM', this.#onTerm)
    process.off('SIGINT', this.#onTerm)
    process.off('uncaughtException', this.#onFault)
    process.off('unhandledRejection', this.#onFault)
    this.#log.info('ended')
    try {
      this.#stdout.flushSync()
    } catch {
      // Nobody reads any more.
    }
    this.#resolveEnded()
  }

  #every(ms: number, name: string, task: () => void): void {
    this.#timers.push(setInterval(() => this.#guard(name, task), ms))
  }

  #guard(name: string, task: () => void): void {
    try {
      task()
    } catch (error) {
      this.#onFault(new Error(`${name}: ${(error as Error).message}`, { cause: error }))
    }
  }
}

function makeStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new CliError(
      `state: ${folder} cannot be made (${(error as Error).message}); give another with --state, or \`state:\` in the configuration`,
      EXIT.failed,
      { cause: error },
    )
  }
}

function startFault(error: NodeJS.ErrnoException): string {
  if (/EADDRINUSE/.test(error.message))
    return `${error.message}\nAnother program has that port: end it, or choose another port (--port, or "listen" in the configuration).`
  if (/EACCES/.test(error.message))
    return `${error.message}\nPorts below 1024 need a right: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or sysctl net.ipv4.ip_unprivileged_port_start.`
  return error.message
}

function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}

function siteNames(config: Config): string[] {
  return config.sites.map((site) => site.hosts[0]!)
}
