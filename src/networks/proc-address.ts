/** Addresses as Linux writes them in /proc/net (tcp, tcp6, route). */
import { formatAddress, parseAddress } from './address.ts'

/**
 * "0100007F" is 127.0.0.1: words in host byte order, little-endian on all that Node runs on but s390x. '' for what
 * is none. A v4-mapped address is the v4 one.
 */
export function addressOfProc(hex: string): string {
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return ''
  const bytes: number[] = []
  for (let word = 0; word < hex.length; word += 8) {
    for (let byte = 6; byte >= 0; byte -= 2)
      bytes.push(Number.parseInt(hex.slice(word + byte, word + byte + 2), 16))
  }
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16))
  return formatAddress(parseAddress(groups.join(':'))!)
}
