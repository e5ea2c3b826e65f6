export type { ListEvent, ListSettings, ListStatus, Standing } from './list-types.ts'
export { type Lists, type ListsOptions, startLists } from './lists-host.ts'
export { ListError } from './network-lists.ts'
