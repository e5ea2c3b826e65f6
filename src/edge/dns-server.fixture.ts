/** A name server on loopback with just enough of RFC 1035 for tests: one question, answers uncompressed. */
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { parseAddress } from '#networks'

export interface DnsRecord {
  /** Whose it is; the name asked for, when missing. */
  readonly owner?: string
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR'
  /** An address, or a name. Dots in backslashes stand inside a label: "a\\.b.example". */
  readonly data: string
}

/** `nxdomain`, `servfail` and `garbage` are answers too; `silence` is none. */
export type DnsAnswer = readonly DnsRecord[] | 'nxdomain' | 'servfail' | 'garbage' | 'silence'

const TYPES = { A: 1, CNAME: 5, PTR: 12, AAAA: 28 } as const
const TYPE_NAMES: ReadonlyMap<number, DnsRecord['type']> = new Map(
  Object.entries(TYPES).map(([name, code]) => [code, name as DnsRecord['type']]),
)

export interface DnsServer extends AsyncDisposable {
  readonly resolver: Resolver
  /** Questions so far: "PTR 1.2.0.192.in-addr.arpa". */
  readonly questions: string[]
}

export async function startDnsServer(
  answer: (name: string, type: DnsRecord['type'] | 'other') => DnsAnswer,
  timeoutMs = 60,
): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const questions: string[] = []
  socket.on('message', (query, peer) => {
    const end = query.indexOf(0, 12) + 5
    const name = readName(query.subarray(12, end - 4))
    const type = TYPE_NAMES.get(query.readUInt16BE(end - 4)) ?? 'other'
    questions.push(`${type} ${name}`)
    const given = answer(name, type)
    if (given === 'silence') return
    const question = query.subarray(12, end)
    const records = typeof given === 'string' ? [] : given.map((record) => writeRecord(record, question))
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(0x8180 | (given === 'nxdomain' ? 3 : given === 'servfail' ? 2 : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(given === 'garbage' ? 9 : records.length, 6)
    socket.send(Buffer.concat([header, question, ...records]), peer.port, peer.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 })
  resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`])
  return {
    resolver,
    questions,
    async [Symbol.asyncDispose]() {
      resolver.cancel()
      socket.close()
      await once(socket, 'close')
    },
  }
}

function readName(bytes: Buffer): string {
  const labels: string[] = []
  for (let at = 0; bytes[at] !== 0 && at < bytes.length; at += bytes[at]! + 1)
    labels.push(bytes.toString('latin1', at + 1, at + 1 + bytes[at]!))
  return labels.join('.').toLowerCase()
}

function writeName(name: string): Buffer {
  const labels =
    name === ''
      ? []
      : name.split(/(?<!\\)\./).map((label) => Buffer.from(label.replaceAll('\\.', '.'), 'latin1'))
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)])
}

function writeRecord({ owner, type, data }: DnsRecord, question: Buffer): Buffer {
  const name = owner === undefined ? question.subarray(0, -4) : writeName(owner)
  const content = type === 'A' || type === 'AAAA' ? addressBytes(data) : writeName(data)
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(TYPES[type], 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(60, 4)
  fixed.writeUInt16BE(content.length, 8)
  return Buffer.concat([name, fixed, content])
}

function addressBytes(text: string): Buffer {
  const { words } = parseAddress(text)!
  const bytes = Buffer.alloc(words.length * 4)
  words.forEach((word, i) => {
    bytes.writeUInt32BE(word, i * 4)
  })
  return bytes
}
