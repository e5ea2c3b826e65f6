/**
 * Names in a query, as most origins read them: application/x-www-form-urlencoded, pieces between "&".
 *
 * Only HTML's forms give a query a grammar; each framework reads the odd ones in its own way. So a name
 * has two readings: the plain one, and a loose one that is the same for all that some framework may take for the
 * same parameter. PHP makes "a.b" and "a b" to "a_b" and "a[0]" to an entry of "a", ASP.NET ignores case, old
 * ASP drops a "%" that begins nothing, C's strings end at %00.
 */

/** The name of a piece without its escapes; octets stay octets. Without "=" it is the whole piece. */
export function nameOf(piece: string): string {
  const equals = piece.indexOf('=')
  return unescaped(equals === -1 ? piece : piece.slice(0, equals), false)
}

/** What all names have in common that some origin may take for the same as `piece`'s. */
export function looseNameOf(piece: string): string {
  const equals = piece.indexOf('=')
  return loosely(unescaped(equals === -1 ? piece : piece.slice(0, equals), true))
}

/** The loose reading of a name without escapes. */
export function loosely(name: string): string {
  const whole = name.trim()
  const bracket = whole.indexOf('[', 1)
  const nul = whole.indexOf('\0')
  const end = Math.min(bracket === -1 ? whole.length : bracket, nul === -1 ? whole.length : nul)
  return whole.slice(0, end).replace(/[. ]/g, '_').toLowerCase()
}

/** A "%" that begins no escape stays, or goes when `loosely`. */
function unescaped(text: string, loosely: boolean): string {
  if (!text.includes('%') && !text.includes('+')) return text
  let name = ''
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0x2b) name += ' '
    else if (unit !== 0x25) name += text[i]
    else {
      const high = hexOf(text.charCodeAt(i + 1))
      const low = hexOf(text.charCodeAt(i + 2))
      if (high >= 0 && low >= 0) {
        name += String.fromCharCode((high << 4) | low)
        i += 2
      } else if (!loosely) name += '%'
    }
  }
  return name
}

/** -1 for what is no hexadecimal digit, the end of a string included. */
function hexOf(unit: number): number {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30
  const lower = unit | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
