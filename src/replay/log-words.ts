/** What a log's texts say, found out once for each of them: clients, user agents, targets, referrers, hosts. */
import { identify, type NetworkTable, parseAddress } from '#networks'
import { agentOf, routeOf } from '#recognise'
import { FIELD, type Field, type LogLine } from '#record'
import { ByteTable } from './byte-table.ts'

export interface LogClient {
  /** Canonical text. */
  readonly text: string
  readonly prefix: string
  /** What one subscriber holds: the v4 address, the v6 /64. */
  readonly subscriber: string
  readonly asn: number
  /** Uniform in 32 bits, the same for the same subscriber throughout a run. */
  readonly hash: number
  /** Where it is remembered already, so that it need not be looked up each time. */
  rememberedIn: object | undefined
}

export interface LogTarget {
  readonly text: string
  /** Without query. */
  readonly path: string
  readonly hasQuery: boolean
  /** A part of a page, by the extension of its path. */
  readonly isAsset: boolean
  /** Route class for GET, and by other method, as `routeOf` says; found out when first asked for. */
  route: string
  routes: Map<string, string> | undefined
}

export interface LogAgent {
  /** At most 300 characters. */
  readonly text: string
  /** What it claims to be, as the trait says; "no user agent" when there is none. */
  readonly family: string
}

export interface LogReferrer {
  readonly text: string
  /** Lower case; '' when there is no referrer or none of a web page. */
  readonly host: string
}

export const METHODS = ['', 'GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'OTHER'] as const

export const NO_AGENT: LogAgent = { text: '', family: 'no user agent' }
export const NO_REFERRER: LogReferrer = { text: '', host: '' }

export const NO_CLIENT: LogClient = {
  text: '',
  prefix: '',
  subscriber: '',
  asn: 0,
  hash: 0,
  rememberedIn: undefined,
}
export const NO_TARGET: LogTarget = {
  text: '',
  path: '',
  hasQuery: false,
  isAsset: false,
  route: '',
  routes: undefined,
}

const CLIENTS = 65_536
const TARGETS = 32_768
const TEXTS = 16_384
const LONGEST_TARGET = 1024
const LONGEST_TEXT = 300
const ASSET =
  /\.(?:css|m?js|map|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|otf|eot|mp4|webm|mp3|ogg|wasm|webmanifest)$/i

export class LogWords {
  readonly #clients: ByteTable<LogClient | 'none'>
  readonly #targets: ByteTable<LogTarget>
  readonly #agents: ByteTable<LogAgent>
  readonly #referrers: ByteTable<LogReferrer>
  readonly #hosts: ByteTable<string>
  readonly #subscribers: ByteTable<number>
  readonly #networks: NetworkTable
  readonly #line: { current: LogLine | undefined } = { current: undefined }

  constructor(networks: NetworkTable) {
    this.#networks = networks
    // One subscriber has one hash, whichever of its addresses of a /64 asks.
    this.#subscribers = new ByteTable(CLIENTS, (_data, _start, _end, hash) => hash)
    this.#clients = new ByteTable(CLIENTS, () => {
      const written = this.#line.current!.text(FIELD.client)
      return parseAddress(written) === undefined ? 'none' : this.#clientOf(written, networks)
    })
    this.#targets = new ByteTable(TARGETS, () => targetOf(this.#line.current!.text(FIELD.target)))
    const textOf = (field: Field) => this.#line.current!.text(field).slice(0, LONGEST_TEXT)
    this.#agents = new ByteTable(TEXTS, () => agentNamed(textOf(FIELD.agent)))
    this.#referrers = new ByteTable(TEXTS, () => referrerNamed(textOf(FIELD.referer)))
    this.#hosts = new ByteTable(1024, () => this.#line.current!.text(FIELD.host).toLowerCase().slice(0, 253))
  }

  /** Undefined when it is no address. */
  client(line: LogLine): LogClient | undefined {
    this.#line.current = line
    const client = this.#clients.get(line.data, line.start(FIELD.client), line.end(FIELD.client))
    return client === 'none' ? undefined : client
  }

  /** As if a line had this client. */
  clientNamed(address: string): LogClient | undefined {
    return parseAddress(address) === undefined ? undefined : this.#clientOf(address, this.#networks)
  }

  target(line: LogLine): LogTarget {
    this.#line.current = line
    return this.#targets.get(line.data, line.start(FIELD.target), line.end(FIELD.target))
  }

  agent(line: LogLine): LogAgent {
    const end = line.end(FIELD.agent)
    if (end === 0) return NO_AGENT
    this.#line.current = line
    return this.#agents.get(line.data, line.start(FIELD.agent), end)
  }

  referrer(line: LogLine): LogReferrer {
    const end = line.end(FIELD.referer)
    if (end === 0) return NO_REFERRER
    this.#line.current = line
    return this.#referrers.get(line.data, line.start(FIELD.referer), end)
  }

  host(line: LogLine): string {
    const end = line.end(FIELD.host)
    if (end === 0) return ''
    this.#line.current = line
    return this.#hosts.get(line.data, line.start(FIELD.host), end)
  }

  #clientOf(written: string, networks: NetworkTable): LogClient {
    const { text, prefix, subscriber, asn } = identify(written, networks)
    const bytes = Buffer.from(subscriber, 'latin1')
    return {
      text,
      prefix,
      subscriber,
      asn,
      hash: this.#subscribers.get(bytes, 0, bytes.length),
      rememberedIn: undefined,
    }
  }
}

function agentNamed(text: string): LogAgent {
  return text === '' ? NO_AGENT : { text, family: agentOf(text).value || NO_AGENT.family }
}

function referrerNamed(text: string): LogReferrer {
  const host = /^https?:\/\/([^/?#@:]{1,253})(?:[:/?#]|$)/i.exec(text)?.[1]?.toLowerCase() ?? ''
  return { text, host }
}

function targetOf(full: string): LogTarget {
  const text = full.slice(0, LONGEST_TARGET)
  const question = text.indexOf('?')
  const path = question < 0 ? text : text.slice(0, question)
  return { text, path, hasQuery: question >= 0, isAsset: ASSET.test(path), route: '', routes: undefined }
}

export function routeFor(target: LogTarget, method: string): string {
  // Nearly all that a log holds.
  if (method === 'GET') return (target.route ||= routeOf('GET', target.text))
  target.routes ??= new Map()
  let route = target.routes.get(method)
  if (route === undefined) target.routes.set(method, (route = routeOf(method, target.text)))
  return route
}

const METHOD_CODES = new Map<string, number>(METHODS.map((name, code) => [name, code]))

/** Index in METHODS; the usual ones without a string. */
export function methodCode(line: LogLine): number {
  const start = line.start(FIELD.method)
  const length = line.end(FIELD.method) - start
  if (length === 0) return 0
  const { data } = line
  if (length === 3 && data[start] === 71 && data[start + 1] === 69 && data[start + 2] === 84) return 1
  return METHOD_CODES.get(line.text(FIELD.method)) ?? 8
}
