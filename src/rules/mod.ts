export { Facts, UnknownFact } from './facts.ts'
export { MOST_STEPS } from './language.ts'
export {
  LONGEST_EXPRESSION,
  MOST_RULES,
  type RuleConfig,
  RuleError,
  type RuleInput,
  type RuleVerdict,
} from './rule.ts'
export { type Decided, parseUntil, Rule, type RuleCount, RuleSet } from './rule-set.ts'
