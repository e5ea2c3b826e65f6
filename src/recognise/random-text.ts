/**
 * Does a name look as if a machine had drawn it, letter by letter? A value per request would make a trait of
 * each; those fold into one.
 *
 * Three marks that words, identifiers of programs and abbreviations do not have: many digits, more than five
 * consonants in a row ("https" has five), letters that change case back and forth. What passes (a drawn
 * name of few letters) is caught as unfamiliar, if it matters.
 */
const IS_VOWEL = new Uint8Array(128)
for (const c of 'aeiouyAEIOUY') IS_VOWEL[c.charCodeAt(0)] = 1
const MOST_CONSONANTS = 5
const MOST_CASE_CHANGES = 3
const LONGEST = 32

export function looksDrawn(text: string): boolean {
  if (text.length > LONGEST) return true
  let digits = 0
  let digitRuns = 0
  let consonants = 0
  let changes = 0
  /** 1 digit, 2 lower, 3 upper, 0 other. */
  let before = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    const kind = c >= 48 && c <= 57 ? 1 : c >= 97 && c <= 122 ? 2 : c >= 65 && c <= 90 ? 3 : 0
    if (kind === 1) {
      digits++
      if (before !== 1) digitRuns++
    }
    if (kind >= 2 && IS_VOWEL[c] === 0) {
      if (++consonants > MOST_CONSONANTS) return true
    } else consonants = 0
    // From lower to upper: a new word in camelCase.
    if (before === 2 && kind === 3 && ++changes > MOST_CASE_CHANGES) return true
    before = kind
  }
  return digits > 4 || digitRuns > 1
}
