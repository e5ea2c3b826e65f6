/** `digue rule list`: the rules in force, and how often each decided. */
import { type RuleStatus, sendCommand } from '#console'
import { parseUntil } from '#rules'
import { findSocket, type Whereabouts } from './locate.ts'
import { plain, type Terminal, table } from './output.ts'

const WIDEST_RULE = 80

export async function ruleList(
  flags: Whereabouts & { readonly json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const rules = (await sendCommand(findSocket(flags), { command: 'rules' })) as RuleStatus[]
  terminal.out(flags.json ? `${JSON.stringify(rules, undefined, 2)}\n` : ruleListText(rules, Date.now()))
}

function ruleListText(rules: readonly RuleStatus[], nowMs: number): string {
  if (rules.length === 0)
    return 'No rules. `rules:` of a site in the configuration adds some; docs/rules.md shows how.\n'
  const hasSites = new Set(rules.map(({ site }) => site)).size > 1
  const rows = rules.map((rule) => [
    ...(hasSites ? [plain(rule.site)] : []),
    plain(rule.name),
    rule.effect,
    stateOf(rule, nowMs),
    String(rule.requests),
    String(rule.lastMinute),
    shortened(plain(rule.when.trim().replace(/\s+/g, ' '))),
  ])
  const head = [...(hasSites ? ['site'] : []), 'rule', 'then', 'until', 'requests', 'last minute', 'when']
  const failing = rules.filter(({ failed }) => failed > 0)
  return [
    table([head, ...rows]).trimEnd(),
    ...failing.map(
      ({ name, failed }) =>
        `! ${plain(name)} could not be evaluated on ${failed} requests, and let them pass: a fault of Digue, please report it`,
    ),
  ]
    .join('\n')
    .concat('\n')
}

function stateOf({ until }: RuleStatus, nowMs: number): string {
  if (until === null) return '–'
  return parseUntil(until) <= nowMs ? `over (${until})` : until
}

function shortened(text: string): string {
  return text.length <= WIDEST_RULE ? text : `${text.slice(0, WIDEST_RULE - 1)}…`
}
