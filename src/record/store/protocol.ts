/** What the main thread, the writer and the readers tell each other. */
import type { RecorderReport } from './open-period.ts'
import type { Questions } from './queries.ts'
import type { RecordedEvent, RecordSettings } from './recorded.ts'
import type { WriterNews, WriterStatus } from './writer.ts'

export interface WriterStart {
  readonly file: string
  readonly settings: RecordSettings
  readonly markKey: Uint8Array
  /** One Int32: how many messages the writer has taken. */
  readonly taken: SharedArrayBuffer
}

export type ToWriter =
  | { readonly kind: 'report'; readonly report: RecorderReport }
  | { readonly kind: 'event'; readonly event: RecordedEvent }
  | { readonly kind: 'lost'; readonly requests: number; readonly events: number }
  | { readonly kind: 'settings'; readonly settings: RecordSettings }
  | { readonly kind: 'close' }

export type FromWriter =
  | { readonly kind: 'news'; readonly news: WriterNews }
  | { readonly kind: 'status'; readonly status: WriterStatus; readonly cpuMs: number }
  | { readonly kind: 'closed' }

export interface ToReader {
  readonly id: number
  readonly name: keyof Questions
  readonly ask: Questions[keyof Questions]['ask']
}

export type FromReader =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly message: string }
