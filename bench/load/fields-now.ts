/** A recorded handwriting, as it is sent at a moment. */

/** Names and values of a handwriting's fields, with what is the moment's; a value of '' is left out. */
export function* fieldsNow(
  fields: readonly string[],
  moment: { readonly host: string; readonly cookie: string; readonly referrer: string },
): Generator<readonly [name: string, value: string]> {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const known = name.toLowerCase()
    const value =
      known === 'host'
        ? moment.host
        : known === 'cookie'
          ? moment.cookie
          : known === 'referer'
            ? moment.referrer
            : fields[i + 1]!
    if (value !== '') yield [name, value]
  }
}
