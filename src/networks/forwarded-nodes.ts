/** The addresses in forwarding fields: RFC 7239 §6 nodes, and what X-Forwarded-For carries in practice. */

/**
 * The address in "192.0.2.1", "192.0.2.1:8080", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:8080";
 * undefined for "unknown", "_hidden" and anything else. The address itself is not checked yet.
 */
export function nodeAddress(node: string): string | undefined {
  if (node.length > 64) return undefined
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::(?:\d{1,5}|_[\w.-]+))?$/.exec(node)
  if (bracketed !== null) return bracketed[1]
  const plain = /^([0-9.]+)(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(node)
  if (plain !== null) return plain[1]
  return /^[0-9A-Fa-f:.]+$/.test(node) ? node : undefined
}

/**
 * The last `most` elements of a Forwarded field, from the right: the address of each `for`
 * (undefined when hidden, missing or malformed), and the `proto` of the last element. A field whose
 * quoting is broken gives one undefined entry: where its elements end cannot be known.
 */
export function forwardedNodes(
  value: string,
  most: number,
): { addresses: (string | undefined)[]; proto: string | undefined } {
  const elements = splitQuoted(value, ',')
  if (elements === undefined) return { addresses: [undefined], proto: undefined }
  const addresses: (string | undefined)[] = []
  let proto: string | undefined
  for (let i = elements.length - 1; i >= 0 && addresses.length <= most; i--) {
    const element = elements[i]!.trim()
    if (element === '') continue
    const pairs = parsePairs(element)
    if (addresses.length === 0) proto = pairs?.get('proto')
    const node = pairs?.get('for')
    addresses.push(node === undefined ? undefined : nodeAddress(node))
  }
  return { addresses, proto }
}

/** Parameters of one element; undefined when it is not a list of token=value without repetition. */
function parsePairs(element: string): Map<string, string> | undefined {
  const pairs = new Map<string, string>()
  for (const part of splitQuoted(element, ';') ?? []) {
    const text = part.trim()
    if (text === '') continue
    const match = /^([!#$%&'*+\-.^_`|~\w]+)=(?:([!#$%&'*+\-.^_`|~\w:[\]]+)|"((?:[^"\\]|\\.)*)")$/.exec(text)
    const name = match?.[1]?.toLowerCase()
    if (match === null || name === undefined || pairs.has(name)) return undefined
    pairs.set(name, match[2] ?? match[3]!.replace(/\\(.)/g, '$1'))
  }
  return pairs
}

/** Splits at `separator` outside quoted strings; undefined when a quoted string does not end. */
function splitQuoted(value: string, separator: ',' | ';'): string[] | undefined {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < value.length; i++) {
    const c = value[i]
    if (c === '"') quoted = !quoted
    else if (c === '\\' && quoted) i++
    else if (c === separator && !quoted) {
      parts.push(value.slice(start, i))
      start = i + 1
    }
  }
  if (quoted) return undefined
  parts.push(value.slice(start))
  return parts
}
