/** A request as a rule sees it, and rules in one line. */
import { identify } from '#networks'
import { type Effect, TRAITS, type TraitName } from '#recognise'
import type { RuleConfig, RuleInput } from './rule.ts'

export function rule(when: string, effect: Effect = 'refuse', more: Partial<RuleConfig> = {}): RuleConfig {
  // biome-ignore lint/suspicious/noThenProperty: a setting's name, and never a function.
  return { name: 'one', when, then: effect, ...more }
}

export interface Seen {
  readonly method?: string
  readonly target?: string
  readonly host?: string
  readonly fields?: readonly string[]
  readonly isSecure?: boolean
  readonly client?: string
  readonly posture?: string
  readonly traits?: Partial<Record<TraitName, string>>
  readonly nowMs?: number
}

export function seen(what: Seen = {}): RuleInput {
  return {
    head: {
      method: what.method ?? 'GET',
      target: what.target ?? '/search?q=dikes',
      version: '1.1',
      host: what.host ?? 'www.example.org',
      fields: what.fields ?? ['Host', 'www.example.org', 'User-Agent', 'curl/8.5.0', 'Accept', '*/*'],
    },
    isSecure: what.isSecure ?? true,
    client: { ...identify(what.client ?? '192.0.2.7'), asn: 64496 },
    posture: what.posture ?? 'flooded',
    traits: TRAITS.map(({ name }) => what.traits?.[name] ?? (name === 'agent' ? 'curl' : '')),
    nowMs: what.nowMs ?? 0,
  }
}
