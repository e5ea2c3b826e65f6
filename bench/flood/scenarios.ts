/** All scenarios of the flood bench, in the order in which they run. */
import { COHORTS } from './cohorts.ts'
import { FAIRNESS } from './fairness.ts'
import { FARMS } from './farms.ts'
import type { Scenario } from './scenario.ts'

export const SCENARIOS: readonly Scenario[] = [...FAIRNESS, ...COHORTS, ...FARMS]
