/**
 * Signatures as rules of the operator's own (docs/rules.md): for what is to stay in force when a pin has ended.
 *
 * A rule fits exactly the requests that the signature fits, but for those whom a rule spares less: with `refuse`, known
 * visitors are left out by the expression. Values come from attackers: in the expression all that means
 * something to CEL, to YAML or to the configuration's `${NAME}` is `\uHHHH`.
 */
import { type Signature, type Term, UNFAMILIAR } from '#recognise'
import type { SiteSignaturesStatus } from '../signature-book.ts'
import { remark } from './condition.ts'

/** Bounds of the configuration on `when` and `note`. */
const LONGEST_WHEN = 2048
const LONGEST_NOTE = 500
/** Floods come again within days; what nobody needs any more should end by itself. */
const LASTS_MS = 14 * 86_400_000

export function ownRules(sites: readonly SiteSignaturesStatus[], nowMs: number): string {
  const until = new Date(nowMs + LASTS_MS).toISOString().slice(0, 10)
  const lines = [
    `# Signatures exported by Digue at ${new Date(nowMs).toISOString()}, as rules for its own configuration.`,
    '# Put those you want under `rules` of the site, and try them: digue rule test --rule NAME --live 60s',
    '# A rule also fits clients with a key of yours, and search engines: let them in by a rule before it.',
    'sites:',
  ]
  for (const { site, published } of sites) {
    const rules = published.flatMap((signature) => ruleOf(signature, until))
    lines.push(`  - host: ${JSON.stringify(remark(site))}`, '    rules:', ...rules)
    if (rules.every((line) => line.trimStart().startsWith('#'))) lines.push('      []')
  }
  return `${lines.join('\n')}\n`
}

function ruleOf(signature: Signature, until: string): string[] {
  const { id, terms, effect, reason } = signature
  const unfamiliar = terms.find(({ value }) => value === UNFAMILIAR)
  if (unfamiliar !== undefined)
    return leftOut(signature, `it tells the ${unfamiliar.trait} apart by all that calm weather showed`)
  const spared = effect === 'refuse' ? ['traits.clearance != "known"'] : []
  // Nothing of a flood's is of any concern in calm weather.
  const when = ['posture != "calm"', ...terms.map(testOf), ...spared].join(' && ')
  if (when.length > LONGEST_WHEN) return leftOut(signature, 'its values are too long for an expression')
  return [
    `      - name: ${id}`,
    '        when: |',
    `          ${when}`,
    `        then: ${effect}`,
    `        until: ${until}`,
    `        note: ${noteOf(reason)}`,
  ]
}

function leftOut({ id, reason }: Signature, why: string): string[] {
  return [`      # ${id}: ${remark(reason)}`, `      #   no rule can say it: ${why}`]
}

function testOf({ trait, value }: Term): string {
  const text = value.replace(
    /[^ !#%-[\]-~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `traits.${trait} == "${text}"`
}

function noteOf(reason: string): string {
  return JSON.stringify(remark(reason).replace(/\$+\{/g, '{').slice(0, LONGEST_NOTE))
}
