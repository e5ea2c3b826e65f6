/**
 * What the solver asks of a browser, and only that: the compiler knows no DOM here, and whatever a browser
 * may lack or a policy may forbid can be undefined. It comes as an argument, clock and timer too.
 */

/** Opaque: made by `compile`, sent to workers. */
export interface WasmModule {
  readonly wasmModule?: never
}

export interface WasmApi {
  validate(bytes: Uint8Array<ArrayBuffer>): boolean
  compile(bytes: Uint8Array<ArrayBuffer>): Promise<WasmModule>
  Instance: new (
    module: WasmModule,
  ) => {
    readonly exports: {
      s(start: number, count: number, mask: number): number
      readonly m: { readonly buffer: ArrayBuffer }
    }
  }
}

export interface WorkerLike {
  onmessage: ((event: { readonly data: { readonly word: number } | undefined }) => void) | null
  onerror: ((event: { preventDefault?(): void }) => void) | null
  postMessage(message: unknown): void
  terminate(): void
}

export interface Browser {
  readonly WebAssembly?: WasmApi
  readonly Worker?: new (url: string) => WorkerLike
  readonly Blob: new (parts: readonly string[], options: { readonly type: string }) => unknown
  readonly URL: { createObjectURL(blob: unknown): string; revokeObjectURL(url: string): void }
  readonly crypto: { getRandomValues(bytes: Uint8Array<ArrayBuffer>): unknown }
  readonly navigator: { readonly hardwareConcurrency?: number }
  readonly document: { readonly hidden?: boolean }
  btoa(text: string): string
  atob(text: string): string
}

export interface Clock {
  readonly nowMs: () => number
  readonly later: (work: () => void, ms: number) => unknown
}
