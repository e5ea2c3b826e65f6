/**
 * Records of exchanges, offered to a bounded ring. In a flood only a sample of what was shed,
 * refused or dropped is written down, so that a record costs nothing when there are too many; what
 * was left out is counted.
 */
import { randomBytes } from 'node:crypto'
import type { ExchangeRecord, RequestLook } from '#record'
import type { EndResult, Exchange } from './exchange.ts'
import type { EdgeHouse } from './house.ts'

/** Records per report, of relayed and of other exchanges each, when no log wants all of them. */
const SAMPLES = 256
const TEXT_LENGTH = 512

export class Recorder {
  readonly #house: EdgeHouse
  /** Distinct for each thread and start, so that reference numbers do not repeat. */
  readonly #series: string
  #serial = 0
  #relayed = 0
  #others = 0
  #left = 0
  #looks = 0

  constructor(house: EdgeHouse, thread: number) {
    this.#house = house
    this.#series = `${randomBytes(4).toString('hex')}${thread.toString(36)}`
  }

  /** A reference number that no other exchange has. */
  newRay(): string {
    return `${this.#series}-${(++this.#serial).toString(36)}`
  }

  offer(exchange: Exchange, result: EndResult, reason: string, nowMs: number): void {
    const { log } = this.#house.config
    const relayed = result.action === 'relay' || result.action === 'store'
    const wantsAll = log.access !== undefined || log.requests === 'all'
    if (!wantsAll && (relayed ? ++this.#relayed : ++this.#others) > SAMPLES) {
      this.#left++
      return
    }
    const { head, client, connection } = exchange
    let userAgent = ''
    let referer = ''
    for (let i = 0; i < head.fields.length; i += 2) {
      const name = head.fields[i]!
      if (name.length === 10 && userAgent === '' && name.toLowerCase() === 'user-agent')
        userAgent = head.fields[i + 1]!
      else if (name.length === 7 && referer === '' && name.toLowerCase() === 'referer')
        referer = head.fields[i + 1]!
    }
    const durationMs = nowMs - exchange.startedAtMs
    const record: ExchangeRecord = {
      atMs: Date.now() - Math.round(durationMs),
      ray: exchange.ray === '' ? this.newRay() : exchange.ray,
      // An unknown host has no site.
      site: exchange.site?.name ?? '',
      client: client.text,
      asn: client.asn,
      method: head.method,
      target: head.target.slice(0, TEXT_LENGTH),
      version: head.version,
      userAgent: userAgent.slice(0, TEXT_LENGTH),
      referer: referer.slice(0, TEXT_LENGTH),
      action: result.action,
      reason,
      lane: exchange.lane,
      ja4: connection.ja4,
      status: result.status,
      bytes: result.bytes,
      durationMs,
      originMs: exchange.originMs,
      signature: exchange.signature,
      rule: exchange.rule,
      list: exchange.list,
      ...(this.#house.policy.wantsLooks === true && this.#looks++ < LOOKS ? { look: lookOf(exchange) } : {}),
    }
    this.#house.records.push(record)
  }

  /** The records since the last call, and how many exchanges have none. */
  drain(): { records: readonly ExchangeRecord[]; lost: number } {
    const { items, lost } = this.#house.records.drain()
    const all = lost + this.#left
    this.#relayed = this.#others = this.#left = this.#looks = 0
    return { records: items, lost: all }
  }
}

/** Per report: they are larger than the rest of a record, and only a sample is wanted. */
const LOOKS = 128
/** Characters of the fields of a look. */
const LOOK_LENGTH = 4096
const SECRET = /^(cookie|authorization|proxy-authorization|x-api-key)$|token|secret/i

function lookOf(exchange: Exchange): RequestLook {
  const { head, secure, traits } = exchange
  const fields: string[] = []
  const secret: string[] = []
  let isWhole = true
  let length = 0
  for (let i = 0; i < head.fields.length; i += 2) {
    const name = head.fields[i]!
    const isSecret = SECRET.test(name)
    const value = isSecret ? '' : head.fields[i + 1]!
    length += name.length + value.length
    if (length > LOOK_LENGTH) isWhole = false
    else fields.push(name, value)
    if (isSecret && isWhole) secret.push(name.toLowerCase())
  }
  return { host: head.host, isSecure: secure, traits, fields, secret, isWhole }
}
