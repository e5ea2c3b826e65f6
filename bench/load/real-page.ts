/** Telling the origin's own page from every other answer, as a visitor would. */

const MARKER = /<!-- digue-bench path=(\S+) cost=([\d.]+) end -->/

/** Origin milliseconds of the real page for `target`; undefined for any other page. */
export function realPage(status: number, body: string, target: string): number | undefined {
  if (status !== 200) return undefined
  const found = MARKER.exec(body.slice(-300))
  return found && found[1] === target ? Number(found[2]) : undefined
}

/** Where a browser goes next by itself from a page that is not the one asked for. */
export interface Step {
  readonly path: string
  readonly afterMs: number
  /** Redirects are followed at once and counted; a refresh may come again and again. */
  readonly isRedirect: boolean
}

/** `path` is what was asked for: a refresh that names no URL asks for it again. */
export function nextStep(status: number, head: string, body: string, path: string): Step | undefined {
  if (status >= 301 && status <= 308 && status !== 304) {
    const location = /\r\nlocation: *([^\r]*)/i.exec(head)?.[1]
    return location?.startsWith('/') && !location.startsWith('//')
      ? { path: location.trim(), afterMs: 0, isRedirect: true }
      : undefined
  }
  return refreshStep(head, path) ?? metaStep(body, path)
}

/** The step that a Refresh field names. */
export function refreshStep(head: string, path: string): Step | undefined {
  const field = /\r\nrefresh: *(\d+)(?: *[;,] *(?:url *= *)?['"]?([^'"\r]*))?/i.exec(head)
  return field ? step(field[1]!, field[2], path) : undefined
}

function metaStep(body: string, path: string): Step | undefined {
  const meta = /<meta http-equiv="refresh" content="(\d+)(?:; *url=([^"]*))?"/i.exec(body)
  return meta ? step(meta[1]!, meta[2], path) : undefined
}

function step(seconds: string, url: string | undefined, path: string): Step {
  // Only paths of the same site are followed: the generator has one target.
  const to = url?.trim()
  return {
    path: to?.startsWith('/') && !to.startsWith('//') ? to : path,
    afterMs: Number(seconds) * 1000,
    isRedirect: false,
  }
}
