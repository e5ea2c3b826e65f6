/**
 * The language of rules: CEL (cel.dev), less what rules do not need.
 *
 * Parser, type checker and evaluator are the library's; `docs/rules.md` is the manual. What is left out, and why:
 *
 * - Functions and operators that are not in the lists below. A rule compares, it does not calculate; and each
 *   function that is not there needs no proof that it is bounded.
 * - Loops in loops, and whatever else costs more than MOST_STEPS by the estimate of `#costOf`.
 * - Regular expressions that are not written out: a pattern out of a header would be the client's. They run on
 *   an engine that takes linear time (linear-regex.ts) in place of the library's, which is JavaScript's.
 * - `has()`, and `in` on `headers` and `query`: what is absent is '' here, so that no look-up can fail.
 *
 * With that no expression can fail on a request; should one do so all the same, it does not fit.
 */
import { createRequire } from 'node:module'
import type { ASTNode, Environment, ParseResult } from '@marcbachmann/cel-js'
import { nearest } from '#kit'
import { CidrSet } from '#networks'
import { TRAITS } from '#recognise'
import {
  CLIENT_FIELDS,
  ClientFacts,
  type Facts,
  MOST_NAMES,
  TraitFacts,
  VARIABLES,
  type VariableName,
} from './facts.ts'
import { type LinearRegex, linearRegex } from './linear-regex.ts'
import { LONGEST_EXPRESSION } from './rule.ts'

/** Steps that an expression may take by the estimate; a step is some 50 ns. */
export const MOST_STEPS = 4096
const MOST_NODES = 256
const DEEPEST = 32
const LONGEST_LIST = 64

/** Steps of one call, beside those of its arguments. */
const FUNCTIONS: Readonly<Record<string, number>> = { size: 4 }
const METHODS: Readonly<Record<string, number>> = {
  contains: 4,
  startsWith: 2,
  endsWith: 2,
  lowerAscii: 40,
  size: 40,
  matches: 400,
  inNetwork: 8,
}
/** Their first argument is the loop's variable. */
const LOOPS: readonly string[] = ['exists', 'all', 'exists_one', 'filter']
const OPERATORS: ReadonlySet<string> = new Set([
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  '&&',
  '||',
  '!_',
  '?:',
  '-_',
])

const NAMES = Object.keys(VARIABLES) as VariableName[]
const MEMBERS = {
  client: Object.keys(CLIENT_FIELDS),
  traits: TRAITS.map(({ name }) => name) as string[],
} as const

/** A node, which has `pos` (of a member, its name), or the range of a complaint. */
interface Place {
  readonly pos?: number
  readonly start?: number
}

/** What is wrong with an expression: "expected …", and where. */
export class ExpressionError extends Error {
  /** Where in the expression, as an offset. */
  readonly offset: number

  constructor(message: string, at: Place, options?: ErrorOptions) {
    super(message, options)
    this.offset = at.pos ?? at.start ?? 0
  }
}

export interface Expression {
  /** What it looks at: "path", "headers.accept", "headers" for all of them, "traits.tls", "client.address". */
  readonly looksAt: readonly string[]
  /** True when it fits. Throws UnknownFact, and should not throw anything else. */
  fits(facts: Facts): boolean
}

/** What macros are given of the library, which has no types for it. */
interface Checker {
  check(node: ASTNode, context: unknown): { readonly name: string }
  getType(name: string): unknown
}
interface Evaluator {
  run(node: ASTNode, context: unknown): unknown
}
interface MacroCall {
  readonly args: readonly ASTNode[]
  readonly receiver: ASTNode
}

/**
 * The library, when there is a first rule: it is some 50 ms and megabytes for each thread, which whoever has no rules need
 * not pay.
 */
const load = createRequire(import.meta.url)
let environment: Environment | undefined

function makeEnvironment(): Environment {
  const library = load('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js')
  const made = new library.Environment({
    limits: {
      maxAstNodes: MOST_NODES,
      maxDepth: DEEPEST,
      maxListElements: LONGEST_LIST,
      maxMapEntries: 0,
      maxCallArguments: 3,
    },
  })
  made.registerType('Client', { ctor: ClientFacts, fields: { ...CLIENT_FIELDS } })
  made.registerType('Traits', {
    ctor: TraitFacts,
    fields: Object.fromEntries(TRAITS.map(({ name }) => [name, 'string'])),
  })
  for (const name of NAMES) made.registerVariable(name, VARIABLES[name])
  // As macros, and for whatever type they are registered: the library finds macros by name and number of arguments
  // before it knows a type, so that these stand before its own methods of the same name.
  for (const [name, expand] of Object.entries(MACROS))
    made.registerFunction(`Client.${name}(ast): bool`, expand, { async: false })
  return made
}

type Test = (text: string, part: string) => boolean

/**
 * A method of a text. A macro is given its argument unevaluated, once, and has no list of arguments to be made for
 * each request (half the time of a rule); the types are looked at here.
 */
function textMethod(name: string, testOf: (argument: ASTNode) => Test): (call: MacroCall) => object {
  return ({ args, receiver }) => {
    const argument = args[0]!
    const test = testOf(argument)
    const needText = (checker: Checker, node: ASTNode, context: unknown) => {
      const type = checker.check(node, context).name
      if (type !== 'string') throw new ExpressionError(`expected a text with .${name}(), got ${type}`, node)
    }
    return {
      async: false,
      typeCheck(checker: Checker, _macro: unknown, context: unknown) {
        needText(checker, receiver, context)
        needText(checker, argument, context)
        return checker.getType('bool')
      },
      evaluate: (evaluator: Evaluator, _macro: unknown, context: unknown) =>
        test(evaluator.run(receiver, context) as string, evaluator.run(argument, context) as string),
    }
  }
}

/** client.inNetwork; that nothing else stands before it, `Survey` sees to. */
function inNetwork({ args, receiver }: MacroCall): object {
  const networks = networksOf(args[0]!)
  return {
    async: false,
    typeCheck(checker: Checker, _macro: unknown, context: unknown) {
      checker.check(receiver, context)
      return checker.getType('bool')
    },
    evaluate: (evaluator: Evaluator, _macro: unknown, context: unknown) => {
      const { parsed } = evaluator.run(receiver, context) as ClientFacts
      return parsed !== undefined && networks.has(parsed)
    },
  }
}

const MACROS: Readonly<Record<string, (call: MacroCall) => object>> = {
  startsWith: textMethod('startsWith', () => (text, part) => text.startsWith(part)),
  endsWith: textMethod('endsWith', () => (text, part) => text.endsWith(part)),
  contains: textMethod('contains', () => (text, part) => text.includes(part)),
  matches: textMethod('matches', (pattern) => {
    const regex = regexOf(pattern)
    return (text) => regex.test(text)
  }),
  inNetwork,
}

function regexOf(node: ASTNode): LinearRegex {
  if (node.op !== 'value' || typeof node.args !== 'string')
    throw new ExpressionError('expected a regular expression written out in quotes', node)
  const regex = linearRegex(node.args)
  if ('fault' in regex) throw new ExpressionError(regex.fault, node)
  return regex
}

function networksOf(node: ASTNode): CidrSet {
  const nodes = node.op === 'list' ? node.args : [node]
  const texts = nodes.map((one) => {
    if (one.op === 'value' && typeof one.args === 'string') return one.args
    throw new ExpressionError('expected networks written out, such as "192.0.2.0/24" or a list of them', one)
  })
  const { set, faults } = CidrSet.parse(texts)
  const [first] = faults
  if (first !== undefined) throw new ExpressionError(first.fault, nodes[first.index] ?? node)
  return set
}

/** Throws an ExpressionError for whatever is wrong with it. */
export function compileExpression(text: string): Expression {
  const whole = { start: 0 }
  if (text.length > LONGEST_EXPRESSION)
    throw new ExpressionError(
      `expected an expression of at most ${LONGEST_EXPRESSION} characters, got ${text.length}`,
      whole,
    )
  let program: ParseResult
  try {
    environment ??= makeEnvironment()
    program = environment.parse(text)
  } catch (error) {
    throw explained(error, text)
  }
  const survey = new Survey()
  survey.steps = survey.costOf(program.ast)
  if (survey.steps > MOST_STEPS)
    throw new ExpressionError(
      `expected an expression of at most ${MOST_STEPS} steps, got some ${survey.steps} (a loop counts each turn, ${MOST_NAMES} where the length is the client's; a regular expression counts ${METHODS['matches']})`,
      whole,
    )
  const checked = program.check()
  if (!checked.valid) throw explained(checked.error, text)
  if (checked.type !== 'bool')
    throw new ExpressionError(
      `expected an expression that is true or false, got a ${checked.type}${checked.type === 'string' ? ' (compare it: … == "…")' : ''}`,
      whole,
    )
  return {
    looksAt: [...survey.looksAt].sort(),
    fits: (facts) => program(facts) === true,
  }
}

/** Walks an expression as it was written: what it may use, what it looks at, what it costs. */
class Survey {
  readonly looksAt = new Set<string>()
  steps = 0
  readonly #loopNames: string[] = []

  /** Estimated steps; throws for what is not in the language. */
  costOf(node: ASTNode): number {
    switch (node.op) {
      case 'value':
        if (typeof node.args === 'object' && node.args !== null)
          throw new ExpressionError('expected a text, a number, true or false', node)
        return 1
      case 'id':
        return this.#name(node, node.args)
      case '.':
        return this.#member(node, node.args[0], node.args[1])
      case '[]':
        return this.#index(node, node.args[0], node.args[1])
      case 'list':
        return node.args.reduce((steps, item) => steps + this.costOf(item), 1)
      case 'call':
        return this.#call(node, node.args[0], node.args[1])
      case 'rcall':
        return this.#method(node, node.args)
      default:
        if (!OPERATORS.has(node.op)) throw new ExpressionError(notThere(node.op), node)
        return [node.args].flat(2).reduce((steps, part) => steps + this.costOf(part as ASTNode), 1)
    }
  }

  #name(node: ASTNode, name: string): number {
    if (this.#loopNames.includes(name)) return 1
    if (!isVariable(name)) {
      const near = nearest(name, [...NAMES, ...this.#loopNames])
      throw new ExpressionError(
        `expected ${meantBy(name, near)}, got the unknown name ${JSON.stringify(name.slice(0, 40))}`,
        node,
      )
    }
    switch (VARIABLES[name]) {
      case 'string':
        this.looksAt.add(name)
        return 1
      case 'map<string, string>':
        throw new ExpressionError(
          `expected ${name}["name"], or a loop over the names such as ${name}.exists(n, n == "a")`,
          node,
        )
      default:
        throw new ExpressionError(
          `expected ${name}.${MEMBERS[name as keyof typeof MEMBERS].join(`, ${name}.`)}`,
          node,
        )
    }
  }

  #member(node: ASTNode, left: ASTNode, member: string): number {
    if (left.op !== 'id' || this.#loopNames.includes(left.args))
      throw new ExpressionError(`expected no member after a value, got .${member}`, node)
    const name = left.args
    if (name === 'headers' || name === 'query') {
      this.looksAt.add(name === 'headers' ? `headers.${member.toLowerCase()}` : 'query')
      return 4
    }
    if (name !== 'client' && name !== 'traits') {
      if (!isVariable(name)) return this.#name(left, name)
      throw new ExpressionError(`expected no member after ${name}, which is a text, got .${member}`, node)
    }
    if (!MEMBERS[name].includes(member)) {
      if (/^countr/i.test(member))
        throw new ExpressionError(
          `expected one of ${MEMBERS.client.join(', ')}, got ${JSON.stringify(member)} (nobody is refused for a country; name networks with client.asn or client.inNetwork)`,
          node,
        )
      const near = nearest(member, MEMBERS[name])
      throw new ExpressionError(
        `expected ${near === undefined ? `one of ${MEMBERS[name].map((one) => `${name}.${one}`).join(', ')}` : `${name}.${near}`}, got the unknown ${name}.${member.slice(0, 40)}`,
        node,
      )
    }
    this.looksAt.add(name === 'client' && member === 'network' ? 'client.address' : `${name}.${member}`)
    return 2
  }

  #index(node: ASTNode, left: ASTNode, index: ASTNode): number {
    if (left.op !== 'id' || (left.args !== 'headers' && left.args !== 'query'))
      throw new ExpressionError('expected [] after headers or query only', node)
    const isLiteral = index.op === 'value' && typeof index.args === 'string'
    if (left.args === 'query') this.looksAt.add('query')
    else this.looksAt.add(isLiteral ? `headers.${String(index.args).toLowerCase()}` : 'headers')
    return 4 + this.costOf(index)
  }

  #call(node: ASTNode, name: string, args: readonly ASTNode[]): number {
    const steps = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
    if (steps === undefined) throw new ExpressionError(unknownFunction(name), node)
    return args.reduce((sum, one) => sum + this.#collection(one), steps)
  }

  #method(node: ASTNode, [name, receiver, args]: [string, ASTNode, ASTNode[]]): number {
    if (LOOPS.includes(name)) return this.#loop(node, receiver, args)
    const steps = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined
    if (steps === undefined) throw new ExpressionError(unknownFunction(name), node)
    if (name === 'inNetwork') {
      if (receiver.op !== 'id' || receiver.args !== 'client')
        throw new ExpressionError('expected client.inNetwork("192.0.2.0/24")', node)
      this.looksAt.add('client.address')
      return steps
    }
    return args.reduce((sum, one) => sum + this.costOf(one), steps + this.#collection(receiver))
  }

  #loop(node: ASTNode, receiver: ASTNode, args: readonly ASTNode[]): number {
    const [variable, body] = args
    if (variable?.op !== 'id' || body === undefined || args.length !== 2)
      throw new ExpressionError('expected a name and a condition, such as exists(n, n == "a")', node)
    if (this.#loopNames.length > 0) throw new ExpressionError('expected no loop within a loop', node)
    if (isVariable(variable.args))
      throw new ExpressionError(
        `expected a name of its own for the loop, got ${variable.args}, which has a meaning already`,
        variable,
      )
    const turns = receiver.op === 'list' ? receiver.args.length : MOST_NAMES
    const before = this.#collection(receiver)
    this.#loopNames.push(variable.args)
    const perTurn = this.costOf(body)
    this.#loopNames.pop()
    return before + turns * perTurn
  }

  /** Where all names of a map may be meant. */
  #collection(node: ASTNode): number {
    if (node.op !== 'id' || (node.args !== 'headers' && node.args !== 'query')) return this.costOf(node)
    this.looksAt.add(node.args)
    return MOST_NAMES
  }
}

function isVariable(name: string): name is VariableName {
  return Object.hasOwn(VARIABLES, name)
}

const WORDS: Readonly<Record<string, string>> = { and: '&&', or: '||', not: '!' }

function meantBy(name: string, near: string | undefined): string {
  const word = WORDS[name.toLowerCase()]
  if (word !== undefined) return word
  if (MEMBERS.traits.includes(name)) return `traits.${name}`
  if (MEMBERS.client.includes(name)) return `client.${name}`
  if (name === 'ip') return 'client.address'
  return near ?? `one of ${NAMES.join(', ')}`
}

function unknownFunction(name: string): string {
  const known = [...Object.keys(METHODS), ...LOOPS]
  if (name === 'has') return 'expected headers["name"] != "" in place of has(): what is absent is ""'
  const near = nearest(name, known)
  return `expected ${near ?? `one of ${known.join(', ')}`}, got the unknown function ${JSON.stringify(name.slice(0, 40))}`
}

function notThere(op: string): string {
  if (op === 'map') return 'expected a list in square brackets, got a map'
  return `expected a comparison, got ${op}: rules compare, they do not calculate`
}

/** The library's complaint in the words of a fault. */
function explained(error: unknown, text: string): ExpressionError {
  if (error instanceof ExpressionError) return error
  const {
    code = '',
    summary,
    range,
    message,
  } = error as Error & { code?: string; summary?: string; range?: { start: number; end: number } }
  const at = range ?? { start: 0, end: text.length }
  const what = (summary ?? message).slice(0, 200)
  const fail = (told: string) => new ExpressionError(told, at, { cause: error })
  if (text.trim() === '') return fail('expected an expression, got nothing')
  if (/^[^"']*[^=!<>"']=[^=]/.test(text.slice(0, at.end + 1)) && /character|token|Expected/.test(what))
    return fail(`expected ==, got =: ${what}`)
  const word = /\b(and|or|not)\b/.exec(text.slice(at.start, at.start + 4))?.[1]
  if (word !== undefined) return fail(`expected ${WORDS[word]}, got ${word}`)
  if (code === 'limit_exceeded')
    return fail(
      `expected an expression of at most ${MOST_NODES} parts, ${DEEPEST} levels deep, with lists of at most ${LONGEST_LIST}, and no map (${what})`,
    )
  if (code === 'no_such_overload') return fail(`expected two values of one kind: ${what}${quoteHint(what)}`)
  if (code === 'no_matching_overload') return fail(`expected other arguments: ${what}`)
  return fail(`expected an expression: ${what}`)
}

function quoteHint(what: string): string {
  return /string .+ int|int .+ string|double .+ string|string .+ double/.test(what)
    ? ' (numbers are written bare, texts in quotes)'
    : ''
}
