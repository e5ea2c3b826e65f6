/** `digue doctor`: what would let a flood around Digue, or make it weak. Findings are data. */

import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { connect, createServer, isIPv4 } from 'node:net'
import { type Config, readConfigFile } from '#config'
import { CommandError, type Diagnosis, sendCommand } from '#console'
import type { KernelStatus } from '#kernel'
import type { ListStatus } from '#lists'
import { defaultStateFolder, faultList, findSocket, usualConfig, type Whereabouts } from './locate.ts'
import { EXIT, formatShare, formatSpan, MARKS, plain, type Terminal } from './output.ts'
import { listeningAddresses } from './proc-net.ts'

export interface Finding {
  /** Stable word: "origin-exposed", "somaxconn", … */
  readonly check: string
  /** `unknown`: it could not be looked at from here. */
  readonly level: 'good' | 'warn' | 'bad' | 'unknown'
  readonly message: string
  /** What to do; '' when there is nothing to do. */
  readonly advice: string
}

export interface DoctorFlags extends Whereabouts {
  readonly origin?: readonly string[]
  readonly json?: boolean
}

/** What an edge wants of the queue of connections not yet accepted. */
const WANTED_BACKLOG = 4096
const WANTED_DESCRIPTORS = 65_536
const DAY_MS = 86_400_000

export async function doctor(flags: DoctorFlags, terminal: Terminal): Promise<void> {
  const findings: Finding[] = []
  const file = flags.config ?? (flags.origin === undefined ? usualConfig() : undefined)
  let config: Config | undefined
  if (file !== undefined) {
    const result = readConfigFile(file, { selfSigned: true })
    if (result.ok) {
      config = result.config
      findings.push({ check: 'configuration', level: 'good', message: `${file} has no faults`, advice: '' })
    } else
      findings.push({
        check: 'configuration',
        level: 'bad',
        message: `${file}: ${faultList(result.faults)}`,
        advice: 'mend it; a running Digue keeps its old configuration meanwhile',
      })
  }
  let diagnosis: Diagnosis | undefined
  try {
    diagnosis = (await sendCommand(config?.admin.socket ?? findSocket(flags), {
      command: 'diagnosis',
    })) as Diagnosis
    findings.push({
      check: 'running',
      level: 'good',
      message: `Digue runs with ${diagnosis.threads} edge threads`,
      advice: '',
    })
  } catch (error) {
    const reason = error instanceof CommandError ? error.message : String(error)
    findings.push({
      check: 'running',
      level: 'unknown',
      message: reason,
      advice: 'what only a running Digue knows was left out',
    })
  }
  const origins = flags.origin ?? config?.sites.flatMap((site) => site.origins) ?? []
  findings.push(...(await checkOrigins([...new Set(origins)])))
  findings.push(
    checkForwarder(diagnosis),
    checkDescriptors(diagnosis),
    await checkKernelDrop(diagnosis && (config?.admin.socket ?? findSocket(flags))),
    ...(await askLists(diagnosis && (config?.admin.socket ?? findSocket(flags)))),
    ...checkKernel(),
    await checkReusePort(),
    await checkClock(),
    checkState(config?.state ?? flags.state ?? defaultStateFolder()),
  )
  if (config !== undefined) findings.push(...checkCertificates(config, Date.now()))

  if (flags.json) terminal.out(`${JSON.stringify(findings, undefined, 2)}\n`)
  else terminal.out(findingsText(findings))
  if (findings.some((finding) => finding.level === 'bad' || finding.level === 'warn'))
    process.exitCode = EXIT.failed
}

function findingsText(findings: readonly Finding[]): string {
  let text = ''
  for (const { level, check, message, advice } of findings) {
    text += `${MARKS[level]} ${check}: ${message.split('\n').map(plain).join('\n     ')}\n`
    if (advice !== '') text += `     → ${advice}\n`
  }
  return text
}

/** Whether each origin answers, and whether strangers can reach it without passing Digue. */
export async function checkOrigins(origins: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = []
  const listening = listeningAddresses()
  for (const origin of origins.slice(0, 100)) {
    if (origin.startsWith('unix:')) {
      findings.push(await reachable(origin, { path: origin.slice(5) }))
      continue
    }
    const url = new URL(origin)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
    findings.push(await reachable(origin, { host, port }))
    if (!isLoopback(host)) {
      findings.push({
        check: 'origin-exposed',
        level: 'unknown',
        message: `${origin} is another machine, or this one by its public name; whether strangers reach it directly is not seen from here`,
        advice: 'let its firewall take connections to that port from this machine only',
      })
    } else if (listening === undefined) {
      findings.push({
        check: 'origin-exposed',
        level: 'unknown',
        message: `which addresses ${origin} listens on is not seen on this system`,
        advice: 'make it listen on 127.0.0.1 only',
      })
    } else {
      // Nothing there: `origin-answers` has said so.
      if (!listening.some((one) => one.port === port)) continue
      const open = listening
        .filter((one) => one.port === port && !isLoopback(one.address))
        .map((one) => one.address)
      if (open.length === 0)
        findings.push({
          check: 'origin-exposed',
          level: 'good',
          message: `${origin} listens on loopback only`,
          advice: '',
        })
      else {
        findings.push({
          check: 'origin-exposed',
          level: 'bad',
          message: `port ${port} of ${origin} also listens on ${open.join(', ')}: a flood can go there, around Digue`,
          advice: `make it listen on 127.0.0.1:${port} only, or close the port in the firewall`,
        })
      }
    }
  }
  return findings
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}

function reachable(origin: string, to: { host: string; port: number } | { path: string }): Promise<Finding> {
  return new Promise((resolve) => {
    const socket = connect(to)
    const done = (finding: Omit<Finding, 'check'>) => {
      socket.destroy()
      resolve({ check: 'origin-answers', ...finding })
    }
    socket.setTimeout(3000, () =>
      done({
        level: 'bad',
        message: `${origin} does not answer within 3 s`,
        advice: 'start it, or mend the address',
      }),
    )
    socket.once('connect', () => done({ level: 'good', message: `${origin} takes connections`, advice: '' }))
    socket.once('error', (error) =>
      done({ level: 'bad', message: `${origin}: ${error.message}`, advice: 'start it, or mend the address' }),
    )
  })
}

function checkForwarder(diagnosis: Diagnosis | undefined): Finding {
  const check = 'trusted-proxies'
  if (diagnosis === undefined)
    return {
      check,
      level: 'unknown',
      message: 'whether a proxy stands before Digue is seen while it runs',
      advice: '',
    }
  if (diagnosis.untrustedForwarder === '')
    return {
      check,
      level: 'good',
      message: 'no untrusted peer sends most requests with forwarding fields',
      advice: '',
    }
  return {
    check,
    level: 'bad',
    message: `most requests come from ${diagnosis.untrustedForwarder} with forwarding fields that nobody trusts: all visitors look like one`,
    advice: `if it is your proxy or CDN, add it: trustedProxies: ["${diagnosis.untrustedForwarder}"]`,
  }
}

/** Whether those who hammer on can be dropped before they cost a connection. */
async function checkKernelDrop(socket: string | undefined): Promise<Finding> {
  const check = 'kernel-drop'
  const unknown = (message: string): Finding => ({ check, level: 'unknown', message, advice: '' })
  if (socket === undefined) return unknown('whether the kernel drops offenders is seen while Digue runs')
  let status: KernelStatus
  try {
    status = (await sendCommand(socket, { command: 'kernel' })) as KernelStatus
  } catch (error) {
    return unknown((error as Error).message)
  }
  switch (status.state) {
    case 'ready':
    case 'active':
      return {
        check,
        level: 'good',
        message: `offenders are dropped in the kernel (${status.table?.entries.v4 ?? 0} IPv4, ${status.table?.entries.v6 ?? 0} IPv6 now)`,
        advice: '',
      }
    case 'off':
      return { check, level: 'good', message: 'kernel.mode is off: Digue drops by itself', advice: '' }
    case 'unavailable':
      return {
        check,
        level: 'warn',
        message: `the kernel drops nobody: ${status.reason}`,
        advice:
          'install nftables and packaging/digue-kernel.service; Digue drops by itself meanwhile, at more cost',
      }
    default:
      return status.state satisfies never
  }
}

async function askLists(socket: string | undefined): Promise<Finding[]> {
  // Whether Digue runs at all has been said.
  if (socket === undefined) return []
  try {
    return checkLists((await sendCommand(socket, { command: 'lists' })) as ListStatus[], Date.now())
  } catch (error) {
    return [{ check: 'lists', level: 'unknown', message: (error as Error).message, advice: '' }]
  }
}

const MEND_LIST: Readonly<Record<ListStatus['source'], string>> = {
  file: 'mend the file, or its permissions; it is read again by itself',
  url: 'try its address with curl, and mend it in the configuration; it is asked again by itself',
  crowdsec: 'look at CrowdSec (`cscli bouncers list`), and at url and keyFile of the list',
}

/** Lists that do not do what their operator believes they do. */
export function checkLists(lists: readonly ListStatus[], nowMs: number): Finding[] {
  const check = 'lists'
  const findings: Finding[] = []
  for (const { name, standing, share, clients, fault, updatedAtMs, source, waiting } of lists) {
    const release = `if that is right: digue lists release ${plain(name)}`
    if (fault !== '')
      findings.push({
        check,
        level: 'warn',
        message: `${name} fails: ${fault}; ${updatedAtMs === 0 ? 'nothing of it is in force' : `what came ${formatSpan(nowMs - updatedAtMs)} ago is in force`}`,
        advice: MEND_LIST[source],
      })
    if (standing === 'held')
      findings.push({
        check,
        level: 'warn',
        message: `${name} is held back and does nothing: ${formatShare(share ?? 0)} of ${clients} clients seen in calm weather are on it`,
        advice: release,
      })
    if (standing === 'left-out')
      findings.push({
        check,
        level: 'warn',
        message: `${name} is left out: with it there would be more than 2,000,000 networks in all`,
        advice: 'take away a large list that is named before it',
      })
    if (waiting !== undefined)
      findings.push({
        check,
        level: 'warn',
        message: `${name} has grown to ${waiting} networks, and its old copy is in force`,
        advice: release,
      })
  }
  if (findings.length > 0 || lists.length === 0) return findings
  const acting = lists.filter(({ standing }) => standing === 'acting').length
  const rest =
    acting === lists.length ? '' : '; the others weigh at most, or have not come yet (`digue lists`)'
  return [{ check, level: 'good', message: `${acting} of ${lists.length} act in full${rest}`, advice: '' }]
}

function checkDescriptors(diagnosis: Diagnosis | undefined): Finding {
  const check = 'descriptors'
  const limit = descriptorLimit()
  if (limit === undefined)
    return {
      check,
      level: 'unknown',
      message: 'the limit on open files is not seen on this system',
      advice: '',
    }
  const budget = diagnosis?.connectionBudget
  if (typeof budget === 'number' && budget * 1.5 > limit) {
    return {
      check,
      level: 'bad',
      message: `limits.connections is ${budget}, and ${limit} open files are allowed`,
      advice: 'raise LimitNOFILE (systemd) or `ulimit -n`, or lower limits.connections',
    }
  }
  if (limit < WANTED_DESCRIPTORS) {
    return {
      check,
      level: 'warn',
      message: `${limit} open files are allowed: room for about ${Math.floor((limit * 2) / 3)} connections`,
      advice: `LimitNOFILE=${WANTED_DESCRIPTORS * 8} in the systemd unit, or \`ulimit -n\``,
    }
  }
  return { check, level: 'good', message: `${limit} open files are allowed`, advice: '' }
}

/** The soft limit on open files; Node raises it to the hard one when it starts. */
export function descriptorLimit(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
    return limit === undefined ? undefined : limit === 'unlimited' ? 1 << 30 : Number(limit)
  } catch {
    return undefined
  }
}

function checkKernel(): Finding[] {
  const rules = [
    {
      check: 'somaxconn',
      file: 'net/core/somaxconn',
      least: WANTED_BACKLOG,
      why: 'connections are dropped before Digue sees them when many come at once',
    },
    {
      check: 'syn-backlog',
      file: 'net/ipv4/tcp_max_syn_backlog',
      least: 1024,
      why: 'half-open connections fill it and new ones are dropped',
    },
    {
      check: 'syn-cookies',
      file: 'net/ipv4/tcp_syncookies',
      least: 1,
      why: 'a SYN flood takes the port away',
    },
  ]
  return rules.map(({ check, file, least, why }) => {
    let value: number
    try {
      value = Number(readFileSync(`/proc/sys/${file}`, 'latin1'))
    } catch {
      return { check, level: 'unknown', message: `${file} is not seen on this system`, advice: '' }
    }
    const name = file.replaceAll('/', '.')
    if (value >= least) return { check, level: 'good', message: `${name} is ${value}`, advice: '' }
    return {
      check,
      level: 'warn',
      message: `${name} is ${value}: ${why}`,
      advice: `sysctl -w ${name}=${least}, and the same line in /etc/sysctl.d/`,
    }
  })
}

/** Two listeners on one port, as the edge threads have them. */
async function checkReusePort(): Promise<Finding> {
  const check = 'reuse-port'
  const first = createServer()
  const second = createServer()
  try {
    await listen(first, 0)
    await listen(second, (first.address() as { port: number }).port)
    return { check, level: 'good', message: 'several threads can share a port', advice: '' }
  } catch {
    return {
      check,
      level: 'warn',
      message: 'this system does not let threads share a port: one thread serves',
      advice: 'Linux 3.9 or newer does',
    }
  } finally {
    first.close()
    second.close()
  }
}

function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port, reusePort: true }, () => resolve())
  })
}

/** Expiries, tickets and certificates go by the wall clock. */
function checkClock(): Promise<Finding> {
  const check = 'clock'
  const now = Date.now()
  // The process cannot have been built after it runs.
  const built = statSync(new URL(import.meta.url)).mtimeMs
  if (now < built - DAY_MS)
    return Promise.resolve({
      check,
      level: 'bad',
      message: `it is ${new Date(now).toISOString()}, before Digue was installed`,
      advice: 'set the clock; let chrony or systemd-timesyncd keep it',
    })
  return new Promise((resolve) => {
    execFile(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: 3000 },
      (error, stdout) => {
        const answer = error === null ? stdout.trim() : ''
        if (answer === 'yes')
          resolve({ check, level: 'good', message: 'the clock is kept by NTP', advice: '' })
        else if (answer === 'no')
          resolve({
            check,
            level: 'warn',
            message: 'the clock is not kept by NTP',
            advice:
              'let chrony or systemd-timesyncd keep it: records of an attack are evidence only with a right time',
          })
        else
          resolve({
            check,
            level: 'unknown',
            message: 'whether the clock is kept by NTP is not seen on this system',
            advice: '',
          })
      },
    )
  })
}

function checkState(folder: string): Finding {
  const check = 'state'
  if (!existsSync(folder))
    return { check, level: 'unknown', message: `${folder} is not there yet; Digue makes it`, advice: '' }
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return { check, level: 'good', message: `${folder} can be written`, advice: '' }
  } catch {
    return {
      check,
      level: 'bad',
      message: `${folder} cannot be written by this user: what was learned is lost at restart`,
      advice: 'run this as the user that runs Digue, or give that user the folder',
    }
  }
}

export function checkCertificates(config: Config, nowMs: number): Finding[] {
  const check = 'certificate'
  const findings: Finding[] = []
  for (const file of new Set(config.sites.map((site) => site.certificate))) {
    if (file === undefined) continue
    try {
      const endsAtMs = new X509Certificate(readFileSync(file)).validToDate.getTime()
      const days = Math.floor((endsAtMs - nowMs) / DAY_MS)
      if (endsAtMs <= nowMs)
        findings.push({
          check,
          level: 'bad',
          message: `${file} has expired`,
          advice: 'renew it; Digue reads it again by itself',
        })
      else if (days < 14)
        findings.push({
          check,
          level: 'warn',
          message: `${file} expires in ${days} days`,
          advice: 'renew it; Digue reads it again by itself',
        })
      else
        findings.push({ check, level: 'good', message: `${file} is valid for ${days} more days`, advice: '' })
    } catch (error) {
      findings.push({
        check,
        level: 'bad',
        message: `${file}: ${(error as Error).message}`,
        advice: 'mend it, or its permissions',
      })
    }
  }
  return findings
}
