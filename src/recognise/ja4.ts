/**
 * JA4: a client's TLS fingerprint (FoxIO, "JA4: TLS Client Fingerprinting", BSD 3-Clause).
 *
 *   t13d1516h2_8daaf6152771_e5627efa2ab1
 *   │└┬│└┬└┬└┬  └ sha256 of the sorted ciphers, 12 digits
 *   │ ││ │ │ └ first and last character of the first ALPN name, "00" without
 *   │ ││ │ └ extensions, and ciphers before it, counted without GREASE, at most 99
 *   │ │└ d: a server name was sent, i: not          third part: sha256 of the sorted extensions without
 *   │ └ highest version offered                     SNI and ALPN, "_", signature algorithms as sent
 *   └ t: over TCP
 *
 * Browsers shuffle extensions and draw GREASE values anew for each connection, so whole hellos do
 * not repeat, but what is hashed, being sorted, does: hashes are cached by that text.
 */
import { hash } from 'node:crypto'
import { BoundedMap } from '#kit'
import type { ClientHello } from './client-hello.ts'

const NONE = '000000000000'
const VERSIONS = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
  [0x0300, 's3'],
  [0x0002, 's2'],
])

/** Text hashed → first 12 digits. Real clients need a few hundred; the rest is somebody playing. */
const hashes = new BoundedMap<string, string>(2048)

/** 0x0a0a, 0x1a1a, … 0xfafa (RFC 8701). */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >>> 8 === (value & 0xff)
}

function ascending(a: number, b: number): number {
  return a - b
}

function hexList(values: readonly number[]): string {
  let text = ''
  for (const value of values) {
    if (text !== '') text += ','
    text += (value + 0x10000).toString(16).slice(1)
  }
  return text
}

function shortHash(text: string): string {
  const known = hashes.get(text)
  if (known !== undefined) return known
  const fresh = hash('sha256', text, 'hex').slice(0, 12)
  hashes.set(text, fresh)
  return fresh
}

function isAlphanumeric(c: number): boolean {
  return (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122)
}

function alpnMark(alpn: readonly string[]): string {
  const first = alpn[0]
  if (first === undefined || first === '') return '00'
  const a = first.charCodeAt(0)
  const z = first.charCodeAt(first.length - 1)
  if (isAlphanumeric(a) && isAlphanumeric(z)) return first[0]! + first.at(-1)!
  return (a >>> 4).toString(16) + (z & 15).toString(16)
}

function count(values: readonly number[]): string {
  return values.length > 99 ? '99' : values.length < 10 ? `0${values.length}` : `${values.length}`
}

/** JA4 of a hello received over TCP. */
export function ja4Of(hello: ClientHello): string {
  let version = 0
  for (const offered of hello.versions) if (!isGrease(offered) && offered > version) version = offered
  if (version === 0) version = hello.version
  const ciphers: number[] = []
  for (const cipher of hello.ciphers) if (!isGrease(cipher)) ciphers.push(cipher)
  let extensionCount = 0
  const extensions: number[] = []
  for (const extension of hello.extensions) {
    if (isGrease(extension)) continue
    extensionCount++
    if (extension !== 0 && extension !== 16) extensions.push(extension)
  }
  ciphers.sort(ascending)
  extensions.sort(ascending)
  let extensionText = hexList(extensions)
  if (hello.signatureAlgorithms.length > 0)
    extensionText += `_${hexList(hello.signatureAlgorithms.filter((value) => !isGrease(value)))}`
  return (
    `t${VERSIONS.get(version) ?? '00'}${hello.hasServerName ? 'd' : 'i'}${count(ciphers)}` +
    `${extensionCount > 99 ? '99' : String(extensionCount).padStart(2, '0')}${alpnMark(hello.alpn)}` +
    `_${ciphers.length === 0 ? NONE : shortHash(hexList(ciphers))}` +
    `_${extensions.length === 0 ? NONE : shortHash(extensionText)}`
  )
}
