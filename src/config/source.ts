/**
 * One YAML file as plain values, with the line of each.
 *
 * YAML is read by the core schema (no tags that make objects), with bounds on file size, nesting and
 * alias expansion. `${NAME}` and `${NAME:-default}` are replaced in values after parsing, so that a
 * variable's text can never become structure; an unquoted value made of a variable alone is then read
 * as YAML would read it, so that `port: ${PORT}` is a number. `$${` stands for `${`.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
} from 'yaml'
import { type Fault, formatPath, type Path } from './fault.ts'

export const MAX_FILE_BYTES = 2_000_000
const MAX_DEPTH = 32
/** Values in one file after aliases are expanded: a million-laughs file ends here. */
const MAX_NODES = 400_000
/** One slip makes the parser complain about all that follows. */
const MAX_SYNTAX_FAULTS = 3

export type Environment = Readonly<Record<string, string | undefined>>

export interface Source {
  readonly file: string
  readonly value: unknown
  /** Line of the value at `path`, or of its nearest parent; 0 when unknown. */
  lineOf(path: Path): number
}

/** Values that did not come from a file: flags and tests. */
export function plainSource(value: unknown): Source {
  return { file: '', value, lineOf: () => 0 }
}

/** Never throws, whatever the text is. */
export function parseSource(
  text: string,
  file: string,
  environment: Environment,
): { source: Source; faults: Fault[] } {
  const faults: Fault[] = []
  const fail = (path: Path, message: string, line: number) =>
    faults.push({ path: formatPath(path), message, file, line })
  const empty: Source = { file, value: undefined, lineOf: () => 0 }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    fail([], `expected a file of at most ${MAX_FILE_BYTES / 1e6} MB`, 0)
    return { source: empty, faults }
  }
  if (tooDeep(text)) {
    fail([], `expected at most ${MAX_DEPTH} levels of nesting`, 0)
    return { source: empty, faults }
  }
  const lines = new LineCounter()
  let document: Document.Parsed
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      schema: 'core',
      prettyErrors: false,
      stringKeys: true,
      logLevel: 'silent',
    })
  } catch (error) {
    // The parser recurses: text made for it can exhaust the stack.
    fail(
      [],
      `expected YAML, got something the parser gave up on (${(error as Error).message.slice(0, 100)})`,
      0,
    )
    return { source: empty, faults }
  }
  for (const error of [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_FAULTS)) {
    fail(
      [],
      `expected YAML: ${error.message.replace(/\s+/g, ' ').slice(0, 200)}`,
      lines.linePos(error.pos[0]).line,
    )
  }
  if (document.errors.length > 0 || document.warnings.length > 0) return { source: empty, faults }

  const lineOfNode = (node: unknown): number =>
    isNode(node) && node.range ? lines.linePos(node.range[0]).line : 0
  const anchors = new Map<string, unknown>()
  let nodes = 0
  let overflow = false

  function read(node: unknown, path: (string | number)[]): unknown {
    if (++nodes > MAX_NODES || path.length > MAX_DEPTH) {
      overflow = true
      return undefined
    }
    if (isAlias(node)) {
      // Not Alias.resolve, which walks the whole document each time.
      return read(anchors.get(node.source), path)
    }
    if (isNode(node) && (node as Scalar).anchor !== undefined) anchors.set((node as Scalar).anchor!, node)
    if (isMap(node)) {
      const object: Record<string, unknown> = {}
      const merged: Record<string, unknown> = {}
      for (const pair of node.items) {
        if (overflow) return undefined
        const key = String(isScalar(pair.key) ? pair.key.value : pair.key)
        const value = read(pair.value, [...path, key])
        // `<<: *anchor` is YAML 1.1, but what people know.
        if (key === '<<' && typeof value === 'object' && value !== null) Object.assign(merged, value)
        else
          Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
      }
      return Object.keys(merged).length === 0 ? object : { ...merged, ...object }
    }
    if (isSeq(node))
      return node.items.map((item, index) => (overflow ? undefined : read(item, [...path, index])))
    if (!isScalar(node)) return node === null ? null : undefined
    if (typeof node.value !== 'string') return node.value
    const result = substitute(node.value, environment)
    if (result.missing !== undefined) {
      fail(
        path,
        `expected the environment variable ${result.missing} to be set (or write \${${result.missing}:-default})`,
        lineOfNode(node),
      )
      return MISSING
    }
    return result.replaced && node.type === Scalar.PLAIN ? plainScalar(result.text) : result.text
  }

  let value: unknown
  try {
    value = read(document.contents, [])
  } catch (error) {
    fail([], `expected a smaller file (${(error as Error).message.slice(0, 100)})`, 0)
    return { source: empty, faults }
  }
  if (overflow) {
    fail([], `expected at most ${MAX_NODES} values and ${MAX_DEPTH} levels, aliases included`, 0)
    return { source: empty, faults }
  }

  const lineOf = (path: Path): number => {
    let node: unknown = document.contents
    let line = lineOfNode(node)
    for (const step of path) {
      if (isAlias(node)) node = (node as Alias).resolve(document)
      if (!isCollection(node)) break
      if (isMap(node)) {
        const pair = node.items.find(
          (item) => String(isScalar(item.key) ? item.key.value : item.key) === String(step),
        )
        if (pair === undefined) break
        line = lineOfNode(pair.key) || line
        node = pair.value
      } else {
        node = node.get(step, true) as Node | undefined
        if (node === undefined) break
        line = lineOfNode(node) || line
      }
    }
    return line
  }
  return { source: { file, value, lineOf }, faults }
}

/** Stands for a value whose variable is missing: its fault is told once, not again by the schema. */
export const MISSING = Symbol('missing variable')

function substitute(
  text: string,
  environment: Environment,
): { text: string; replaced: boolean; missing?: string } {
  if (!text.includes('${')) return { text, replaced: false }
  let missing: string | undefined
  let replaced = false
  const result = text.replace(
    /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (match, name?: string, fallback?: string) => {
      if (match === '$${') return '${'
      replaced = true
      const value = environment[name!]
      // As in a shell: `:-` also stands in for an empty variable.
      if (value === undefined || (value === '' && fallback !== undefined)) {
        if (fallback === undefined) missing ??= name!
        return fallback ?? ''
      }
      return value
    },
  )
  return missing === undefined ? { text: result, replaced } : { text: result, replaced, missing }
}

function plainScalar(text: string): unknown {
  if (/^[-+]?\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text)
  if (text === 'true') return true
  if (text === 'false') return false
  return text
}

/** A cheap look before the recursive parser: runs of openers, and indentation by "- - - -". */
function tooDeep(text: string): boolean {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x5b || c === 0x7b) {
      if (++depth > 4 * MAX_DEPTH) return true
    } else if (c === 0x5d || c === 0x7d) depth = Math.max(0, depth - 1)
  }
  return /^[ \t]*((?:[-?:][ \t]+){33})/m.test(text)
}
