/** What no single field shows: fields against each other, against the disk and against the machine. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { CidrSet, parseCidr } from '#networks'
import { RuleSet } from '#rules'
import { type Path, show } from './fault.ts'
import type { Config, SiteConfig } from './schema.ts'

export interface CheckOptions {
  /** Digue makes a certificate of its own for listeners with TLS. */
  readonly selfSigned?: boolean
  /** Files and folders that are named are not looked at: for a process that has no business with them. */
  readonly withoutFiles?: boolean
}

export interface Complaint {
  readonly path: Path
  readonly message: string
}

/** A Unix socket's path must fit `sun_path` with its end. */
const MAX_SOCKET_PATH = 107
/** A logo is part of a page that must fit 20 kB. */
const MAX_LOGO_BYTES = 4096

/** `paths` in `config` are absolute already. */
export function crossCheck(config: Config, options: CheckOptions = {}): Complaint[] {
  const complaints: Complaint[] = []
  const complain = (path: Path, message: string) => complaints.push({ path, message })
  const complainOfFile = options.withoutFiles === true ? () => {} : complain

  checkListeners(config, options, complain)
  checkSites(config, { complain, complainOfFile })
  for (const [index, text] of config.trustedProxies.entries())
    checkCidr(['trustedProxies', index], text, complain)
  checkCalendar(config, complain)
  checkLists(config, complain, complainOfFile)
  if (config.networks !== undefined) checkReadable(['networks'], config.networks, complainOfFile)
  for (const [index, text] of config.kernel.never.entries())
    checkCidr(['kernel', 'never', index], text, complain)

  if (config.admin.metrics !== 'off') {
    const at = parseLoopback(config.admin.metrics)
    if (at === undefined) {
      complain(
        ['admin', 'metrics'],
        `expected a loopback address and port such as "127.0.0.1:9180", or "off", got ${show(config.admin.metrics)}`,
      )
    } else if (config.listen.some((listen) => listen.port !== 0 && listen.port === at.port)) {
      complain(
        ['admin', 'metrics'],
        `expected a port that no listener has, got ${show(config.admin.metrics)}`,
      )
    }
  }
  for (const name of ['admin', 'kernel'] as const) {
    const { socket } = config[name]
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
      complain(
        [name, 'socket'],
        `expected a path of at most ${MAX_SOCKET_PATH} bytes, got ${Buffer.byteLength(socket)} (${show(socket)})`,
      )
    }
  }
  checkDirectory(['state'], config.state, { mustExist: false }, complainOfFile)
  return complaints
}

/** "127.0.0.1:9180", "[::1]:9180", "localhost:9180"; undefined for anything that is not loopback. */
export function parseLoopback(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const host = match[1] ?? match[2]!
  const port = Number(match[3])
  const loopback = host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
  return loopback && port <= 65535 ? { host: host === 'localhost' ? '127.0.0.1' : host, port } : undefined
}

type Complain = (path: Path, message: string) => void

function checkListeners(config: Config, options: CheckOptions, complain: Complain): void {
  const seen: { address: string; port: number; index: number }[] = []
  for (const [index, listen] of config.listen.entries()) {
    const path = ['listen', index]
    if (isIP(listen.address) === 0 && listen.address !== 'localhost') {
      complain([...path, 'address'], `expected an IP address of this machine, got ${show(listen.address)}`)
    }
    for (const [at, text] of listen.proxyProtocol.entries())
      checkCidr([...path, 'proxyProtocol', at], text, complain)
    if (listen.port !== 0) {
      const clash = seen.find(
        (other) => other.port === listen.port && overlaps(other.address, listen.address),
      )
      if (clash !== undefined)
        complain(
          path,
          `expected a port of its own, got ${listen.port}, which listen[${clash.index}] has already`,
        )
      seen.push({ address: listen.address, port: listen.port, index })
    }
  }
  const tls = config.listen.findIndex((listen) => listen.tls)
  if (
    tls !== -1 &&
    options.selfSigned !== true &&
    !config.sites.some((site) => site.certificate !== undefined)
  ) {
    complain(
      ['listen', tls, 'tls'],
      'expected at least one site with `certificate` and `key` (or --self-signed for trying it out), got none',
    )
  }
}

function overlaps(a: string, b: string): boolean {
  return (
    a === b ||
    a === '::' ||
    b === '::' ||
    (a === '0.0.0.0' && isIP(b) === 4) ||
    (b === '0.0.0.0' && isIP(a) === 4)
  )
}

function checkSites(config: Config, to: { complain: Complain; complainOfFile: Complain }): void {
  const { complain, complainOfFile } = to
  const hosts = new Map<string, number>()
  const pairs = new Map<string, string | undefined>()
  const ruleFaults = new Map<string, ReturnType<typeof RuleSet.faultsOf>>()
  const hasTls = config.listen.some((listen) => listen.tls)
  for (const [index, site] of config.sites.entries()) {
    const path = ['sites', index]
    for (const [at, host] of site.hosts.entries()) {
      const other = hosts.get(host)
      if (other !== undefined)
        complain(
          [...path, 'hosts', at],
          `expected a host name no other site has, got ${show(host)}, which sites[${other}] has already`,
        )
      else hosts.set(host, index)
    }
    for (const [at, origin] of site.origins.entries())
      checkOrigin([...path, 'origins', at], origin, config, complain)
    if (site.key !== undefined && site.certificate === undefined) {
      complain([...path, 'certificate'], 'expected a PEM file beside `key`, got nothing')
    } else if (site.certificate !== undefined && site.key === undefined) {
      complain([...path, 'key'], 'expected a PEM file beside `certificate`, got nothing')
    } else if (site.certificate !== undefined && site.key !== undefined) {
      checkPair(path, { certificate: site.certificate, key: site.key }, pairs, complainOfFile)
    }
    if (site.redirectToHttps && !hasTls && config.trustedProxies.length === 0) {
      complain(
        [...path, 'redirectToHttps'],
        'expected a listener with tls, or trustedProxies that end TLS, got neither',
      )
    }
    if (site.acmeChallenge !== 'origin')
      checkDirectory([...path, 'acmeChallenge'], site.acmeChallenge, { mustExist: true }, complainOfFile)
    checkEntrance(path, site, to)
    checkRules([...path, 'rules'], site, ruleFaults, complain)
  }
}

/** Many sites often share one list of rules, by `defaults`: each list is read once. */
function checkRules(
  path: Path,
  { rules }: SiteConfig,
  known: Map<string, ReturnType<typeof RuleSet.faultsOf>>,
  complain: Complain,
): void {
  if (rules.length === 0) return
  const key = JSON.stringify(rules)
  let faults = known.get(key)
  if (faults === undefined) known.set(key, (faults = RuleSet.faultsOf(rules)))
  for (const { index, field, line, column, message } of faults) {
    const where =
      line === 0 ? '' : line > 1 ? ` (line ${line}, character ${column})` : ` (character ${column})`
    complain([...path, index, field], `${message}${where}`)
  }
}

function checkCalendar(config: Config, complain: Complain): void {
  for (const [index, date] of config.calendar.entries())
    if (date.until <= date.from) complain(['calendar', index, 'until'], 'expected an end after the beginning')
}

/** A minute: whoever publishes a list counts the askers. */
const SHORTEST_REFRESH_MS = { url: 60_000, file: 1000, crowdsec: 1000 } as const

function checkLists(config: Config, complain: Complain, complainOfFile: Complain): void {
  const names = new Set<string>()
  for (const [index, list] of config.lists.entries()) {
    const path = ['lists', index]
    if (names.has(list.name))
      complain([...path, 'name'], `expected a name that no other list has, got ${show(list.name)}`)
    names.add(list.name)
    const sources = (['file', 'url', 'crowdsec'] as const).filter((source) => list[source] !== undefined)
    const source = sources[0]
    if (source === undefined || sources.length > 1) {
      complain(path, `expected exactly one of file, url and crowdsec, got ${sources.join(' and ') || 'none'}`)
      continue
    }
    const shortest = SHORTEST_REFRESH_MS[source]
    if (list.refresh !== undefined && list.refresh < shortest)
      complain(
        [...path, 'refresh'],
        `expected at least ${shortest / 1000} s for a ${source}, got ${list.refresh / 1000} s`,
      )
    if (list.url !== undefined && !URL.canParse(list.url))
      complain([...path, 'url'], `expected an https:// address, got ${show(list.url)}`)
    if (list.file !== undefined) checkReadable([...path, 'file'], list.file, complainOfFile)
    if (list.crowdsec !== undefined) {
      checkReadable([...path, 'crowdsec', 'keyFile'], list.crowdsec.keyFile, complainOfFile)
      const { url } = list.crowdsec
      if (!URL.canParse(url))
        complain([...path, 'crowdsec', 'url'], `expected an http:// or https:// address, got ${show(url)}`)
      else if (url.startsWith('http://') && !isNearby(url))
        complain(
          [...path, 'crowdsec', 'url'],
          `expected https:// for another machine (the key would travel in the clear), got ${show(url)}`,
        )
    }
  }
}

/** This machine, or a private address written as such. */
const NEARBY = CidrSet.parse([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1',
  'fc00::/7',
]).set

function isNearby(url: string): boolean {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || NEARBY.hasText(host)
}

function checkEntrance(
  path: Path,
  site: SiteConfig,
  { complain, complainOfFile }: { complain: Complain; complainOfFile: Complain },
): void {
  const { loginCookie, crawlerRanges } = site.challenge
  if (loginCookie !== undefined && (loginCookie.check === 'none') !== (loginCookie.secret === undefined)) {
    complain(
      [...path, 'challenge', 'loginCookie', 'secret'],
      loginCookie.check === 'none'
        ? 'expected no secret where no signature is checked, got one'
        : `expected the secret that ${show(loginCookie.check)} is checked with, got nothing`,
    )
  }
  for (const [at, text] of crawlerRanges.entries())
    checkCidr([...path, 'challenge', 'crawlerRanges', at], text, complain)
  const { logo } = site.page
  const logoPath = [...path, 'page', 'logo']
  if (logo === undefined || !checkReadable(logoPath, logo, complainOfFile)) return
  if (statSync(logo).size > MAX_LOGO_BYTES)
    complain(
      logoPath,
      `expected a file of at most ${MAX_LOGO_BYTES} bytes, got ${statSync(logo).size} (${show(logo)})`,
    )
  else if (!/\.(svg|png)$/i.test(logo))
    complain(logoPath, `expected a file that ends in .svg or .png, got ${show(logo)}`)
}

/** Many sites often share one certificate: each pair of files is read once. */
function checkPair(
  path: Path,
  files: { certificate: string; key: string },
  pairs: Map<string, string | undefined>,
  complain: Complain,
): void {
  const certificatePath = [...path, 'certificate']
  const keyPath = [...path, 'key']
  const known = `${files.certificate}\0${files.key}`
  if (pairs.has(known)) return
  pairs.set(known, undefined)
  const chain = readPem(certificatePath, files.certificate, complain)
  const secret = readPem(keyPath, files.key, complain)
  let certificate: X509Certificate | undefined
  if (chain !== undefined) {
    try {
      certificate = new X509Certificate(chain)
    } catch {
      complain(
        certificatePath,
        `expected a PEM file with a certificate chain, got ${show(files.certificate)}, which has none that can be read`,
      )
    }
  }
  if (secret === undefined) return
  try {
    const key = createPrivateKey(secret)
    if (certificate !== undefined && !certificate.checkPrivateKey(key)) {
      complain(
        keyPath,
        `expected the private key of ${show(files.certificate)}, got the key of another certificate`,
      )
    }
  } catch {
    complain(
      keyPath,
      `expected a PEM file with a private key that has no passphrase, got ${show(files.key)}, which has none that can be read`,
    )
  }
}

function readPem(path: Path, file: string, complain: Complain): Buffer | undefined {
  if (!checkReadable(path, file, complain)) return undefined
  if (statSync(file).size > 1_000_000) {
    complain(path, `expected a PEM file of at most 1 MB, got ${show(file)}`)
    return undefined
  }
  return readFileSync(file)
}

function checkReadable(path: Path, file: string, complain: Complain): boolean {
  try {
    accessSync(file, constants.R_OK)
    if (statSync(file).isFile()) return true
    complain(path, `expected a file, got ${show(file)}, which is none`)
  } catch (error) {
    complain(
      path,
      `expected a file that can be read, got ${show(file)} (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    )
  }
  return false
}

function checkDirectory(
  path: Path,
  directory: string,
  options: { mustExist: boolean },
  complain: Complain,
): void {
  try {
    if (!statSync(directory).isDirectory())
      complain(path, `expected a directory, got ${show(directory)}, which is none`)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    if (options.mustExist || code !== 'ENOENT')
      complain(path, `expected a directory, got ${show(directory)} (${code})`)
  }
}

function checkOrigin(path: Path, origin: string, config: Config, complain: Complain): void {
  if (origin.startsWith('unix:')) return
  let url: URL
  try {
    url = new URL(origin)
  } catch {
    complain(path, `expected "http://host:port", "https://host:port" or "unix:/path", got ${show(origin)}`)
    return
  }
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const loop = config.listen.find(
    (listen) => listen.port === port && reaches(url.hostname.replace(/^\[|\]$/g, ''), listen.address),
  )
  if (loop !== undefined)
    complain(path, `expected where the site really runs, got ${show(origin)}, which is Digue itself`)
}

/** Whether a connection to `hostname` arrives at a listener on `address`. */
function reaches(hostname: string, address: string): boolean {
  const host = hostname === 'localhost' ? '127.0.0.1' : hostname
  if (isIP(host) === 0) return false
  if (host === address) return true
  if (address !== '::' && !(address === '0.0.0.0' && isIPv4(host))) return false
  if (host === '::1' || (isIPv4(host) && host.startsWith('127.'))) return true
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === host))
}

function checkCidr(path: Path, text: string, complain: Complain): void {
  const parsed = parseCidr(text)
  if ('fault' in parsed) complain(path, parsed.fault)
}
