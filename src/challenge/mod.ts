export { type Challenge, issueChallenge, readChallenge } from './challenge.ts'
export {
  type Clearance,
  clearanceId,
  grantClearance,
  meteredUntilS,
  readClearance,
  renewed,
  writeClearance,
} from './clearance.ts'
export {
  mayHoldOurs,
  type OurCookies,
  readCookies,
  setCookie,
  type TakenParameter,
  takeParameter,
  withoutOurs,
  withParameter,
} from './cookies.ts'
export { KeyRing, MASTER_BYTES, newMaster, PERIOD_S, PURPOSES, type Purpose } from './keys.ts'
export {
  dayOf,
  earn,
  isKnown,
  KNOWN_DAYS,
  KNOWN_S,
  KnownQuota,
  type KnownQuotaOptions,
  type KnownToken,
  readKnown,
  writeKnown,
} from './known.ts'
export { type Standing, type Waiter, type Waiting, WaitingLine, weightInLine } from './line.ts'
export { createLineMemory, type LineMemory, type LineSizes } from './line-memory.ts'
export { type LineState, LineTurns } from './line-turns.ts'
export { METER_SLOTS, Meter, type MeterMemory } from './meter.ts'
export { type PageAsker, PageBudget, type PageBudgetOptions } from './page-budget.ts'
export { chooseLanguage, languageNamed } from './pages/choose-language.ts'
export { LANGUAGES } from './pages/languages/all.ts'
export { safeTarget } from './pages/markup.ts'
export { momentPage } from './pages/moment.ts'
export { PAGE_STATES, type PageFacts, type PageSettings, type PageState } from './pages/page-state.ts'
export { Pages, type RenderedPage } from './pages/pages.ts'
export { PRICE_TICK_MS, Prices, type PricesMemory } from './prices.ts'
export { NONCE_BYTES, type Proof, readProof, SEED_BYTES } from './proof.ts'
export {
  type Judged,
  ProofDesk,
  type ProofDeskOptions,
  type ProofOrder,
  type ProofWork,
  type Waiting as WaitingProof,
} from './proof-desk.ts'
export {
  CHALLENGE_PATH,
  CLEARANCE_COOKIE,
  CLEARANCE_MOST_S,
  CLEARANCE_S,
  CLOCK_SKEW_S,
  EPOCH_S,
  EPOCHS_VALID,
  KNOWN_COOKIE,
  LEAST_PRICE,
  MOST_PARTS,
  MOST_PRICE,
  OWN_PATH,
  PARAMETER,
  PROOF_PATH,
  REPLAY_PATH,
  TICKET_COOKIE,
  TOKEN_FAULTS,
  type TokenFault,
} from './protocol.ts'
export { checkParts, PART_BITS, partInput, solve, type Work } from './puzzle.ts'
export { labelOf, maySeal, type OpenedForm, openForm, type SealedForm, sealForm } from './sealed-form.ts'
export { SOLVER } from './solver-bundle.ts'
export { readTicket, TICKET_S, type Ticket, writeTicket } from './ticket.ts'
