/** The import rules of docs/architecture.md, held. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'

const root = path.join(import.meta.dirname, '..')

interface Rule {
  /** Rooms whose values and types may be imported. */
  readonly values: readonly string[]
  /** Rooms of which only types may be imported (`import type`). */
  readonly types: readonly string[]
}

const GROUND = ['kit', 'http', 'networks']
/** They decide and do nothing else: replayable from a log. */
const DECIDERS = ['recognise', 'cache', 'challenge', 'admission']
const ALL = [
  ...GROUND,
  ...DECIDERS,
  'rules',
  'lists',
  'kernel',
  'config',
  'record',
  'edge',
  'control',
  'replay',
  'console',
]

const RULES: Readonly<Record<string, Rule>> = {
  kit: { values: [], types: [] },
  http: { values: ['kit'], types: [] },
  // http for the grammar of forwarding fields.
  networks: { values: ['kit', 'http'], types: [] },
  // What an operator writes over traits; the one room near the deciders whose language is a library's.
  rules: { values: [...GROUND, 'recognise'], types: [] },
  lists: { values: GROUND, types: ['recognise'] },
  kernel: { values: ['kit', 'networks'], types: [] },
  // rules, so that an expression that means nothing is a fault of the configuration.
  config: { values: [...GROUND, 'rules'], types: ['recognise'] },
  record: { values: GROUND, types: [] },
  ...Object.fromEntries(DECIDERS.map((room) => [room, { values: GROUND, types: DECIDERS }])),
  edge: { values: [...GROUND, ...DECIDERS, 'rules', 'config', 'record'], types: ['control'] },
  control: { values: [...GROUND, ...DECIDERS, 'config', 'record'], types: [] },
  replay: { values: [...GROUND, ...DECIDERS, 'config', 'record', 'control'], types: [] },
  console: { values: [...GROUND, 'config', 'record', 'control'], types: ALL },
  cli: { values: ALL, types: [] },
}

/** Nobody imports the commands; the program is their door. */
const doorOf = (room: string) => (room === 'cli' ? 'main.ts' : 'mod.ts')

/** What would make a decider more than a function of its arguments. */
const IMPURE_MODULES =
  /^node:(net|tls|https?|http2|fs|dgram|dns|timers|child_process|cluster|worker_threads|sqlite|process)(\/|$)/
const IMPURE_CALLS =
  /\b(setTimeout|setInterval|setImmediate|Date\.now|performance\.now|fetch)\s*\(|\bnew Date\(\)/

interface Import {
  readonly file: string
  readonly line: number
  readonly specifier: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
}

/** `import`, `export … from` and `import()` of a file. `import { type A }` counts as a value: it runs the module. */
function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(root, file), 'utf8')
  const found: Import[] = []
  const statement = /^[ \t]*(?:import|export)\b(\s+type\b)?(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm
  const call = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g
  const lineOf = (index: number) => text.slice(0, index).split('\n').length
  for (const match of text.matchAll(statement)) {
    found.push({
      file,
      line: lineOf(match.index),
      specifier: match[2]!,
      typeOnly: match[1] !== undefined,
      dynamic: false,
    })
  }
  for (const match of text.matchAll(call)) {
    found.push({ file, line: lineOf(match.index), specifier: match[1]!, typeOnly: false, dynamic: true })
  }
  return found
}

function filesIn(folder: string): string[] {
  return globSync(`${folder}/**/*.ts`, { cwd: root }).sort()
}

function roomOf(file: string): string {
  return file.split(path.sep)[1]!
}

/** Tests, and stages that several tests of a room share: `x.fixture.ts`. Neither is built. */
const isTest = (file: string) => /\.(test|fixture)\.ts$/.test(file)
const where = ({ file, line, specifier }: Import) => `${file}:${line} imports ${specifier}`

const rooms = readdirSync(path.join(root, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
const sources = filesIn('src').filter((file) => file.split(path.sep).length > 2)
const imports = sources.flatMap(importsOf)

describe('rooms', () => {
  test('the reader of imports sees every form of them', () => {
    const specifiers = new Set(imports.map((entry) => entry.specifier))
    assert.ok(imports.length > sources.length, 'hardly any imports found')
    assert.ok(
      specifiers.has('#kit') &&
        imports.some((entry) => entry.typeOnly) &&
        imports.some((entry) => entry.dynamic),
    )
  })

  test('every room has its rule, its door and its manual page', () => {
    for (const room of rooms) {
      assert.ok(RULES[room] !== undefined, `src/${room} has no import rule in test/rooms.test.ts`)
      for (const file of [doorOf(room), 'README.md'])
        assert.ok(existsSync(path.join(root, 'src', room, file)), `src/${room}/${file} is missing`)
    }
  })

  test('rooms import only the rooms they may', () => {
    const breaches = imports
      .filter((entry) => !isTest(entry.file) && entry.specifier.startsWith('#'))
      .filter((entry) => {
        const target = entry.specifier.slice(1)
        const rule = RULES[roomOf(entry.file)]
        if (target === roomOf(entry.file)) return true
        return !(rule?.values.includes(target) || (entry.typeOnly && rule?.types.includes(target)))
      })
    assert.deepEqual(breaches.map(where), [])
  })

  test('a room is entered by its door only', () => {
    const breaches = imports.filter((entry) => {
      if (entry.specifier.startsWith('#')) return !rooms.includes(entry.specifier.slice(1))
      if (!entry.specifier.startsWith('.')) return false
      const target = path.join(path.dirname(entry.file), entry.specifier)
      return !target.startsWith(path.join('src', roomOf(entry.file)) + path.sep) && !isDemo(entry)
    })
    assert.deepEqual(breaches.map(where), [])
  })

  test('tests, benches and scripts come by the door too', () => {
    const outside = ['test', 'bench', 'scripts'].flatMap(filesIn).flatMap(importsOf)
    const breaches = outside.filter((entry) => {
      if (entry.specifier.startsWith('#')) return !rooms.includes(entry.specifier.slice(1))
      if (!entry.specifier.startsWith('.')) return false
      const target = path.join(path.dirname(entry.file), entry.specifier)
      // A room's stage for trying it out is not built, so no door can lead to it.
      return target.startsWith(`src${path.sep}`) && !target.endsWith('.fixture.ts')
    })
    assert.deepEqual(breaches.map(where), [])
  })

  test('what is built imports neither a test nor a stage', () => {
    const breaches = imports.filter(
      (entry) => !isTest(entry.file) && entry.specifier.startsWith('.') && isTest(entry.specifier),
    )
    assert.deepEqual(breaches.map(where), [])
  })

  test('no rooms and no files import each other in a circle', () => {
    const byRoom = new Map(rooms.map((room) => [room, new Set<string>()]))
    const byFile = new Map(sources.map((file) => [file, new Set<string>()]))
    for (const entry of imports) {
      if (entry.typeOnly || isTest(entry.file)) continue
      if (entry.specifier.startsWith('#')) byRoom.get(roomOf(entry.file))!.add(entry.specifier.slice(1))
      else if (entry.specifier.startsWith('.')) {
        byFile.get(entry.file)!.add(path.join(path.dirname(entry.file), entry.specifier))
      }
    }
    assert.equal(circleIn(byRoom), undefined)
    assert.equal(circleIn(byFile), undefined)
  })

  test('deciders hold no socket, no file, no clock and no timer', () => {
    const ours = sources.filter((file) => DECIDERS.includes(roomOf(file)) && !isTest(file))
    const breaches: string[] = ours
      .flatMap(importsOf)
      .filter(
        (entry) =>
          !entry.typeOnly &&
          (IMPURE_MODULES.test(entry.specifier) || /^[a-z@]/.test(entry.specifier.replace(/^node:.*/, ''))),
      )
      .map(where)
    for (const file of ours) {
      readFileSync(path.join(root, file), 'utf8')
        .split('\n')
        .forEach((line, i) => {
          const code = line.replace(/\/\/.*|^\s*\*.*|\/\*.*?\*\//g, '')
          if (IMPURE_CALLS.test(code)) breaches.push(`${file}:${i + 1}: ${line.trim()}`)
        })
    }
    assert.deepEqual(breaches, [])
  })
})

/** `digue demo` shows the bench's flood: the one way from src/ out of it, and it must say why at the place. */
function isDemo(entry: Import): boolean {
  if (
    roomOf(entry.file) !== 'cli' ||
    !entry.dynamic ||
    !path.join(path.dirname(entry.file), entry.specifier).startsWith('bench')
  )
    return false
  const lines = readFileSync(path.join(root, entry.file), 'utf8').split('\n')
  return /^\s*(\/\/|\*|\/\*)/.test(lines[entry.line - 2] ?? '')
}

/** The first circle in a graph as "a > b > a"; undefined when there is none. */
function circleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const done = new Set<string>()
  const path: string[] = []
  const visit = (node: string): string | undefined => {
    if (done.has(node)) return undefined
    const seenAt = path.indexOf(node)
    if (seenAt >= 0) return [...path.slice(seenAt), node].join(' > ')
    path.push(node)
    for (const next of graph.get(node) ?? []) {
      const circle = visit(next)
      if (circle !== undefined) return circle
    }
    path.pop()
    done.add(node)
    return undefined
  }
  for (const node of graph.keys()) {
    const circle = visit(node)
    if (circle !== undefined) return circle
  }
  return undefined
}
