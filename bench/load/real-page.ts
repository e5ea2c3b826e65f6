/** Telling the origin's own page from every other answer, as a visitor would. */

const MARKER = /<!-- digue-bench path=(\S+) cost=([\d.]+) end -->/

/** Origin milliseconds of the real page for `target`; undefined for any other page. */
export function realPage(status: number, body: string, target: string): number | undefined {
  if (status !== 200) return undefined
  const found = MARKER.exec(body.slice(-300))
  return found && found[1] === target ? Number(found[2]) : undefined
}

/** Where a browser goes next by itself from a page that is not the one asked for. */
export function nextStep(
  status: number,
  head: string,
  body: string,
  path: string,
): { path: string; afterMs: number } | undefined {
  if (status >= 301 && status <= 308 && status !== 304) {
    const location = /\r\nlocation: *([^\r]*)/i.exec(head)?.[1]
    return location?.startsWith('/') ? { path: location, afterMs: 0 } : undefined
  }
  const refresh =
    /\r\nrefresh: *(\d+)/i.exec(head) ?? /<meta http-equiv="refresh" content="(\d+)"/i.exec(body)
  return refresh ? { path, afterMs: Number(refresh[1]) * 1000 } : undefined
}
