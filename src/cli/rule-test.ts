/**
 * `digue rule test`: what a rule would touch, before it acts: on access logs, or on what a running Digue sees.
 *
 * What the source does not show is said, not guessed: a rule that needs it is `unknown` for that request, by the
 * language's own logic (false && unknown is false). The posture is one thing that no log has; it is taken as
 * flooded, since that is when rules matter.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Config, readConfigFile } from '#config'
import { type Samples, sendCommand } from '#console'
import type { Posture } from '#control'
import type { HttpVersion } from '#http'
import { AddressBook, identify, openNetworks } from '#networks'
import { LOG_TRAITS, logTraitsOf, TRAITS, type TraitName, type Traits } from '#recognise'
import { type ExchangeRecord, type LoggedRequest, readAccessLog } from '#record'
import { Rule, RuleError, type RuleInput } from '#rules'
import { faultList, findSocket, usualConfig, type Whereabouts } from './locate.ts'
import { siteFinder } from './old-log.ts'
import { CliError, EXIT, formatBytes, formatSpan, MARKS, plain, type Terminal, table } from './output.ts'
import { percent, type RuleReport, RuleTrial, type TrialReport, type TrialRequest } from './rule-trial.ts'

export interface RuleTestFlags extends Whereabouts {
  readonly site?: string
  readonly rule?: string
  readonly when?: string
  readonly log?: readonly string[]
  /** Milliseconds. */
  readonly live?: number
  readonly posture?: Posture
  readonly json?: boolean
}

interface Source {
  readonly kind: 'log' | 'live'
  readonly description: string
  /** Requests that were not looked at, and why. */
  readonly notes: readonly string[]
}

const NAMES = TRAITS.map(({ name }) => name)
const PROGRESS_MS = 200
const POLL_MS = 1000
const LOGGED_FIELDS: ReadonlySet<string> = new Set(['headers.user-agent', 'headers.referer'])
const LOGGED_TRAITS: ReadonlySet<string> = new Set(LOG_TRAITS.map((name: TraitName) => `traits.${name}`))

export async function ruleTest(flags: RuleTestFlags, terminal: Terminal): Promise<void> {
  if ((flags.log === undefined) === (flags.live === undefined))
    throw new CliError(
      'expected either --log access.log or --live 30s: what shall the rule be tested on?',
      EXIT.usage,
    )
  const config = configOf(flags)
  const site = siteOf(flags, config)
  const rules = rulesOf(flags, config, site)
  const trial = new RuleTrial(rules)
  const source =
    flags.log === undefined
      ? await watch(trial, { flags, site, terminal })
      : await readLogs(trial, { flags, config, site, terminal })
  const report = trial.report(Date.now())
  if (flags.json) terminal.out(`${JSON.stringify({ source, site: site ?? null, ...report }, undefined, 2)}\n`)
  else terminal.out(trialText(report, source))
  if (report.rules.some(({ warnings }) => warnings.length > 0)) process.exitCode = EXIT.failed
}

function configOf(flags: RuleTestFlags): Config | undefined {
  const file = flags.config ?? usualConfig()
  if (file === undefined) return undefined
  const result = readConfigFile(file, { selfSigned: true })
  if (result.ok) return result.config
  // An expression on the command line needs no configuration.
  if (flags.when !== undefined && flags.config === undefined) return undefined
  throw new CliError(
    `${file}: ${faultList(result.faults.map((fault) => ({ ...fault, file: '' })))}`,
    EXIT.usage,
  )
}

/** The name of the site that is asked for; undefined for any. */
function siteOf({ site, rule }: RuleTestFlags, config: Config | undefined): string | undefined {
  if (config === undefined) {
    if (site !== undefined)
      throw new CliError(
        `--site ${plain(site)}: there is no configuration that has it; name one with --config`,
        EXIT.usage,
      )
    return undefined
  }
  const names = config.sites.map(({ hosts }) => hosts[0]!)
  if (site !== undefined) {
    const name = siteFinder(config)(site.toLowerCase())
    if (name !== undefined) return name
    throw new CliError(`--site ${plain(site)}: expected one of ${names.slice(0, 20).join(', ')}`, EXIT.usage)
  }
  if (names.length === 1) return names[0]
  if (rule === undefined) return undefined
  const holders = config.sites.filter(({ rules }) => rules.some(({ name }) => name === rule))
  if (holders.length > 1)
    throw new CliError(
      `--rule ${plain(rule)}: several sites have one of that name; choose with --site ${holders
        .map(({ hosts }) => hosts[0])
        .slice(0, 20)
        .join(' or --site ')}`,
      EXIT.usage,
    )
  return holders[0]?.hosts[0]
}

function rulesOf(flags: RuleTestFlags, config: Config | undefined, site: string | undefined): Rule[] {
  if (flags.when !== undefined) {
    if (flags.rule !== undefined) throw new CliError('expected either --rule or --when, got both', EXIT.usage)
    try {
      return [
        new Rule(
          Object.fromEntries([
            ['name', ''],
            ['when', flags.when],
            ['then', 'refuse'],
          ]) as never,
        ),
      ]
    } catch (error) {
      if (!(error instanceof RuleError)) throw error
      throw new CliError(`--when: ${error.message} (character ${error.column})`, EXIT.usage, { cause: error })
    }
  }
  if (config === undefined)
    throw new CliError('expected --config with rules, or --when with an expression', EXIT.usage)
  const own = config.sites.find(({ hosts }) => hosts[0] === site)
  if (own === undefined) {
    const names = config.sites.map(({ hosts }) => hosts[0]!)
    throw new CliError(
      flags.rule === undefined
        ? `expected --site: one of ${names.slice(0, 20).join(', ')}`
        : `--rule ${plain(flags.rule)}: no site has a rule of that name`,
      EXIT.usage,
    )
  }
  const wanted = flags.rule === undefined ? own.rules : own.rules.filter(({ name }) => name === flags.rule)
  if (wanted.length > 0) return wanted.map((rule) => new Rule(rule))
  const names = own.rules.map(({ name }) => name)
  throw new CliError(
    names.length === 0
      ? `${site} has no rules; give an expression with --when`
      : `--rule ${plain(flags.rule ?? '')}: expected one of ${names.join(', ')}`,
    EXIT.usage,
  )
}

// Logs.

interface LogContext {
  readonly flags: RuleTestFlags
  readonly config: Config | undefined
  readonly site: string | undefined
  readonly terminal: Terminal
}

async function readLogs(trial: RuleTrial, context: LogContext): Promise<Source> {
  const { flags, config, site, terminal } = context
  const paths = flags.log!
  const { table: networks } = await openNetworks(config?.networks)
  const book = new AddressBook(networks)
  const findSite = config === undefined ? undefined : siteFinder(config)
  const posture = flags.posture ?? 'flooded'
  const notes: string[] = []
  const progress = new Progress(terminal)
  let elsewhere = 0
  let unreadable = 0
  let firstAtMs = Number.POSITIVE_INFINITY
  let lastAtMs = 0
  for (const path of paths) {
    const summary = await readAccessLog(
      path,
      (request) => {
        if (request.method === '') {
          unreadable++
          return
        }
        if (site !== undefined && request.site !== '' && findSite?.(request.site) !== site) {
          elsewhere++
          return
        }
        const host = request.site !== '' ? request.site : (site ?? '')
        const input = new LoggedInput(request, { host, posture, client: book.identify(request.client) })
        trial.add({ atMs: request.atMs, input, agent: input.agent })
      },
      { onProgress: (read, size) => progress.show(path, size === 0 ? undefined : read / size, read) },
    ).catch((error: Error) => {
      progress.end()
      throw new CliError(`--log: ${plain(path)} cannot be read (${error.message})`, EXIT.failed, {
        cause: error,
      })
    })
    if (summary.requests > 0) {
      firstAtMs = Math.min(firstAtMs, summary.firstAtMs)
      lastAtMs = Math.max(lastAtMs, summary.lastAtMs)
    }
    if (summary.fault !== undefined)
      notes.push(`${path}: reading ended early (${summary.fault}); what came before is used.`)
    if (summary.badLines > 0) notes.push(`${path}: ${summary.badLines} lines are in no known format.`)
  }
  progress.end()
  if (elsewhere > 0) notes.push(`${elsewhere} requests were to other sites.`)
  if (unreadable > 0) notes.push(`${unreadable} lines hold no request that could be read.`)
  if (trial.looksAt.has('posture')) notes.push(`The posture is taken as ${posture} throughout (--posture).`)
  const span = lastAtMs > firstAtMs ? `, ${formatSpan(lastAtMs - firstAtMs)}` : ''
  return { kind: 'log', description: `${paths.join(', ')}${span}`, notes }
}

/** A line of a log, as a rule sees it. */
class LoggedInput implements RuleInput {
  readonly head: RuleInput['head']
  readonly isSecure = false
  readonly client: RuleInput['client']
  readonly posture: string
  readonly nowMs = 0
  readonly #request: LoggedRequest
  #traits: Traits | undefined

  constructor(
    request: LoggedRequest,
    known: { readonly host: string; readonly posture: string; readonly client: RuleInput['client'] },
  ) {
    this.#request = request
    this.client = known.client
    this.posture = known.posture
    const { method, target, version, userAgent, referer } = request
    this.head = {
      method,
      target,
      version: versionOf(version),
      host: known.host,
      fields: [
        ...(userAgent === '' ? [] : ['User-Agent', userAgent]),
        ...(referer === '' ? [] : ['Referer', referer]),
      ],
    }
  }

  get traits(): Traits {
    const { method, target, userAgent, referer } = this.#request
    return (this.#traits ??= logTraitsOf({
      method,
      target,
      host: this.head.host,
      agent: userAgent,
      referrer: referer,
      asn: this.client.asn,
    }))
  }

  get agent(): string {
    return this.traits[AGENT]!
  }

  unknown(fact: string): boolean {
    if (fact.startsWith('headers')) return !LOGGED_FIELDS.has(fact)
    if (fact.startsWith('traits.')) return !LOGGED_TRAITS.has(fact)
    if (fact === 'host') return this.head.host === '' || this.head.host === '*'
    if (fact === 'version') return this.#request.version === ''
    return fact === 'scheme'
  }
}

const AGENT = NAMES.indexOf('agent')

function versionOf(text: string): HttpVersion {
  return text === '1.0' || text === '1.1' ? text : '2.0'
}

// Live.

interface LiveContext {
  readonly flags: RuleTestFlags
  readonly site: string | undefined
  readonly terminal: Terminal
}

async function watch(trial: RuleTrial, { flags, site, terminal }: LiveContext): Promise<Source> {
  const socket = findSocket(flags)
  const endMs = performance.now() + flags.live!
  const progress = new Progress(terminal)
  const ask = async (after?: number) =>
    (await sendCommand(socket, { command: 'samples', ...(after === undefined ? {} : { after }) })) as Samples
  let { serial } = await ask()
  let lost = 0
  try {
    for (let leftMs = flags.live!; leftMs > 0; leftMs = endMs - performance.now()) {
      progress.show('watching', 1 - leftMs / flags.live!, 0)
      await delay(Math.min(POLL_MS, Math.max(50, leftMs)))
      const samples = await ask(serial)
      serial = samples.serial
      lost += samples.lost
      for (const record of samples.records) {
        if (site === undefined ? record.site === '' : record.site !== site) continue
        const request = liveRequest(record, flags.posture ?? samples.postures[record.site] ?? 'calm')
        if (request !== undefined) trial.add(request)
      }
    }
  } finally {
    progress.end()
  }
  const notes = lost > 0 ? [`This is a sample: ${lost} requests more, of all sites, were not looked at.`] : []
  return { kind: 'live', description: `${formatSpan(flags.live!)} of live traffic`, notes }
}

const VISITORS: ReadonlySet<string> = new Set(['known', 'paid', 'operator'])

/** Undefined for one of before the sampling began. */
function liveRequest(record: ExchangeRecord, posture: string): TrialRequest | undefined {
  const { atMs, method, target, version, client, asn, lane, look } = record
  if (look === undefined) return undefined
  const { host, isSecure, traits, fields, secret, isWhole } = look
  const shown = new Set(fields.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()))
  const input: RuleInput = {
    head: { method, target, version: versionOf(version), host, fields },
    isSecure,
    client: { ...identify(client), asn },
    posture,
    traits,
    nowMs: 0,
    unknown(fact) {
      if (!fact.startsWith('headers')) return false
      const name = fact.slice('headers.'.length)
      // What did not fit into the record may be any of those that are not in it.
      return secret.includes(name) || (!isWhole && !shown.has(name))
    },
  }
  return { atMs, input, agent: traits[AGENT] ?? '', isVisitor: VISITORS.has(lane) }
}

// Telling.

function trialText({ requests, clients, minutes, quietMinutes, rules }: TrialReport, source: Source): string {
  const lines = [
    `${source.description}: ${requests} ${requests === 1 ? 'request' : 'requests'} of ${clients} ${clients === 1 ? 'client' : 'clients'}.`,
  ]
  for (const note of source.notes) lines.push(plain(note))
  if (requests === 0) return `${lines.join('\n')}\nThere is nothing to test on.\n`
  if (rules.length > 1) {
    const rows = rules.map((rule) => [
      rule.warnings.length > 0 ? MARKS.warn : MARKS.good,
      plain(rule.name),
      rule.effect,
      String(rule.requests),
      percent(rule.share),
      String(rule.clients),
      rule.quietShare === null ? '–' : percent(rule.quietShare),
    ])
    lines.push(
      '',
      table([['', 'rule', 'then', 'requests', 'share', 'clients', 'quiet minutes'], ...rows]).trimEnd(),
    )
  }
  for (const rule of rules) lines.push('', ...ruleText(rule, { quietMinutes, minutes }))
  return `${lines.join('\n')}\n`
}

function ruleText(
  rule: RuleReport,
  { quietMinutes, minutes }: { quietMinutes: number; minutes: number },
): string[] {
  const title = rule.name === '' ? 'The expression' : `${plain(rule.name)} (${rule.effect})`
  const lines = [
    `${title}: ${plain(rule.when.trim())}`,
    `  fits ${rule.requests} requests (${percent(rule.share)}) of ${rule.clients} clients (${percent(rule.clientShare)})`,
  ]
  if (rule.decidedBefore > 0) lines.push(`  ${rule.decidedBefore} of them are decided by an earlier rule`)
  if (rule.quietShare !== null)
    lines.push(
      `  ${percent(rule.quietShare)} of the requests in the ${quietMinutes} quiet minutes of ${minutes} (at most twice the median)`,
    )
  if (rule.visitorShare !== null)
    lines.push(`  ${percent(rule.visitorShare)} of the requests of those who had shown effort or history`)
  for (const warning of rule.warnings) lines.push(`  ${MARKS.warn} ${plain(warning)}`)
  if (rule.requests === 0) return lines
  for (const [what, names] of [
    ['paths', rule.paths],
    ['agents', rule.agents],
    ['networks', rule.networks],
  ] as const)
    lines.push(`  ${what}: ${names.map(({ name, requests }) => `${plain(name)} ${requests}`).join(', ')}`)
  lines.push('  of the most frequent agents of all:')
  for (const { name, ofAll, touched } of rule.commonAgents)
    lines.push(`    ${percent(touched)} of ${plain(name)} (${percent(ofAll)} of all requests)`)
  lines.push('  for example:')
  for (const { at, client, request, userAgent } of rule.examples)
    lines.push(`    ${at} ${client} ${plain(request)}${userAgent === '' ? '' : ` "${plain(userAgent)}"`}`)
  return lines
}

/** One line on a terminal's standard error, and nothing where that is a file. */
class Progress {
  readonly #terminal: Terminal
  readonly #isShown = process.stderr.isTTY === true
  readonly #startedMs = performance.now()
  #shownMs = 0

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  /** `ratio` undefined: not known; then the bytes read are told. */
  show(what: string, ratio: number | undefined, bytes: number): void {
    const nowMs = performance.now()
    if (!this.#isShown || nowMs - this.#shownMs < PROGRESS_MS) return
    this.#shownMs = nowMs
    const spentMs = nowMs - this.#startedMs
    const rate = bytes === 0 ? '' : `, ${formatBytes((1000 * bytes) / spentMs)}/s`
    if (ratio === undefined) {
      this.#write(`${plain(what)}: ${formatBytes(bytes)}${rate}`)
      return
    }
    const filled = Math.round(20 * Math.min(1, ratio))
    const left = ratio > 0.01 ? `, ${formatSpan((spentMs * (1 - ratio)) / ratio)} left` : ''
    this.#write(
      `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}] ${Math.floor(100 * ratio)} % ${plain(what)}${rate}${left}`,
    )
  }

  end(): void {
    if (this.#shownMs > 0) this.#terminal.error('\r\u001b[K')
  }

  #write(text: string): void {
    this.#terminal.error(`\r${text}\u001b[K`)
  }
}
