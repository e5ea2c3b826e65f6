export { ACTIONS, type Action, type ExchangeRecord } from './exchange-record.ts'
