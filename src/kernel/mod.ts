export type { DropResult, TableSettings, TableStatus } from './drop-table.ts'
export { type Helper, type HelperOptions, startHelper } from './helper.ts'
export { KernelDrop, type KernelEvent, type KernelOptions, type KernelStatus } from './kernel-drop.ts'
