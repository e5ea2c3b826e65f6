/** A broken invariant: a bug in Digue, never something a client can cause. */
export class InvariantError extends Error {
  readonly code = 'DIGUE_INVARIANT'
}

/** Throws InvariantError when `condition` is false. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
