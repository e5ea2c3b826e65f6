/** Problem details: why a request failed, for programs (RFC 9457). */

export interface Problem {
  readonly status: number
  /** Short, the same for every occurrence. */
  readonly title: string
  /** The stable reason code of the log and the metrics. */
  readonly reason: string
  readonly detail?: string
  readonly retryAfterS?: number
}

export const PROBLEM_TYPE = 'application/problem+json'

/** The body; `type` stays "about:blank", so that nothing has to be looked up elsewhere. */
export function problemBody(problem: Problem): string {
  return `${JSON.stringify({
    type: 'about:blank',
    title: problem.title,
    status: problem.status,
    ...(problem.detail === undefined ? {} : { detail: problem.detail }),
    reason: problem.reason,
    ...(problem.retryAfterS === undefined ? {} : { retryAfter: problem.retryAfterS }),
  })}\n`
}
