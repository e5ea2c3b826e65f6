export type { ClientAddress } from './client-address.ts'
