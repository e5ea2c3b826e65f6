/** What strangers make of a token: every text here differs from it and must be refused. */
export function hostileSpellings(token: string): string[] {
  const texts = ['', '.', '....', '1', '1.', 'null', '\u0000', '{}', '%31', 'é'.repeat(64)]
  for (let at = 0; at < token.length; at++) {
    texts.push(token.slice(0, at), token.slice(at + 1))
    const before = token.slice(0, at)
    const after = token.slice(at + 1)
    const unit = token.charCodeAt(at)
    for (const other of ['A', '0', '_', '.', '=', '+', '/', ' ', '%', '\n', '\u0000', 'é', '\ud800', '１'])
      texts.push(before + other + after, before + other + token.slice(at))
    // The last character of base64url has spare bits: a decoder that ignores them reads the same bytes.
    for (const by of [1, 2, -1]) texts.push(before + String.fromCharCode(Math.max(0, unit + by)) + after)
    texts.push(before + token[at]!.toUpperCase() + after, before + token[at]!.toLowerCase() + after)
  }
  texts.push(`${token}=`, `${token}.`, `${token} `, ` ${token}`, `${token}A`, token + token, `"${token}"`)
  texts.push(token.replace('1.', '1.0'), token.replace('1.', '2.'), token.replace('1.', '01.'))
  texts.push('1.'.repeat(32_768), 'A'.repeat(65_536), token + 'A'.repeat(65_536), '.'.repeat(65_536))
  return texts.filter((text) => text !== token)
}
