/** What the main thread and the lists' thread tell each other. */
import type { ListEvent, ListSettings, ListStatus } from './list-types.ts'

export interface ListsStart {
  readonly folder: string
  readonly userAgent: string
  /** What one before this made is in force. */
  readonly isSuccessor: boolean
}

export type ListsCommand =
  | { readonly command: 'status' }
  | { readonly command: 'refresh'; readonly name?: string | undefined }
  | { readonly command: 'release'; readonly name: string }

export type ToLists =
  | { readonly kind: 'configure'; readonly lists: readonly ListSettings[] }
  | { readonly kind: 'calm'; readonly subscribers: readonly string[] }
  | { readonly kind: 'storm' }
  | { readonly kind: 'hits'; readonly counts: Readonly<Record<string, number>> }
  | { readonly kind: 'ask'; readonly id: number; readonly what: ListsCommand }

export type FromLists =
  | { readonly kind: 'networks'; readonly memory: SharedArrayBuffer; readonly names: readonly string[] }
  | { readonly kind: 'event'; readonly event: ListEvent }
  | { readonly kind: 'answer'; readonly id: number; readonly lists: readonly ListStatus[] }
  | { readonly kind: 'refused'; readonly id: number; readonly message: string }
