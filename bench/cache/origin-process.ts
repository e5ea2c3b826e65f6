/** The origin of public pages, seen from the bench. */
import { join } from 'node:path'
import { Child, CORES } from '../lib/processes.ts'
import type { PageOriginPlan, Seen } from './page-origin.ts'
import type { PageOriginCommand } from './page-origin-main.ts'

const MAIN = join(import.meta.dirname, 'page-origin-main.ts')

export interface OriginProcess {
  readonly port: number
  readonly child: Child
  total(): Promise<number>
  seen(fromMs: number, untilMs: number): Promise<Seen>
}

/** 640 pages per second, as the flood bench's origin. */
export const USUAL_PAGES: PageOriginPlan = { port: 0, servers: 8, queue: 1024, costMs: 12.5, maxAgeS: 5 }

export async function startOriginProcess(plan: PageOriginPlan): Promise<OriginProcess> {
  const child = new Child('origin', [process.execPath, MAIN, JSON.stringify(plan)], {
    core: CORES?.load,
    ipc: true,
  })
  const port = await child.message<number>('port')
  const ask = <T>(field: string, command: PageOriginCommand): Promise<T> => {
    const answer = child.message<T>(field)
    child.send(command)
    return answer
  }
  return {
    port,
    child,
    total: () => ask('total', { do: 'total' }),
    seen: (fromMs, untilMs) => ask('seen', { do: 'seen', fromMs, untilMs }),
  }
}
