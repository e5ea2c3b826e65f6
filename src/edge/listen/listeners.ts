import type { Listeners, ListenersOptions } from './types.ts'

/** Opens all listeners, or none: rejects with the first that cannot be opened. */
export async function openListeners(options: ListenersOptions): Promise<Listeners> {
  throw new Error(`not yet: ${options.listen.length}`)
}
