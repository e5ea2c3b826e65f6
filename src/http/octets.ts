/** Byte classes of RFC 9110 §5.6.2 and RFC 9112 §3.2 as tables: 1 where the byte may stand. */

function table(allowed: (byte: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(256)
  for (let byte = 0; byte < 256; byte++) if (allowed(byte)) bytes[byte] = 1
  return bytes
}

const within = (set: string) => (byte: number) => set.includes(String.fromCharCode(byte))
const isAlphaNumeric = (byte: number) =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
const isTokenMark = within("!#$%&'*+-.^_`|~")

/** Method and field names. */
export const TOKEN: Uint8Array = table((byte) => isAlphaNumeric(byte) || isTokenMark(byte))
/** Field values: HTAB, SP, visible ASCII and obs-text. No other control, no DEL. */
export const VALUE: Uint8Array = table((byte) => byte === 9 || (byte >= 0x20 && byte !== 0x7f))
/** Request targets: visible ASCII without "#", which no target may carry. */
export const TARGET: Uint8Array = table((byte) => byte > 0x20 && byte < 0x7f && byte !== 0x23)
/** Host names as they are met: letters, digits, "-", ".", "_". */
export const HOST: Uint8Array = table((byte) => isAlphaNumeric(byte) || within('-._')(byte))

/** Every UTF-16 unit of `text` is a byte that `allowed` marks. */
export function consistsOf(text: string, allowed: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 255 || allowed[unit] === 0) return false
  }
  return true
}

/** The bytes from `at` spell `lower`, in either case of its letters. Only for what TOKEN marks. */
export function spells(bytes: Uint8Array, at: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    if ((bytes[at + i]! | 0x20) !== lower.charCodeAt(i)) return false
  }
  return true
}
