/** The origin of public pages as its own process, so that it can be killed; told what to do over IPC. */
import { type PageOriginPlan, startPageOrigin } from './page-origin.ts'

export type PageOriginCommand = { do: 'total' } | { do: 'seen'; fromMs: number; untilMs: number }

const origin = await startPageOrigin(JSON.parse(process.argv[2] ?? '{}') as PageOriginPlan)
process.on('message', (command: PageOriginCommand) => {
  switch (command.do) {
    case 'total':
      process.send?.({ total: origin.total() })
      return
    case 'seen':
      process.send?.({ seen: origin.seen(command.fromMs, command.untilMs) })
      return
    default:
      command satisfies never
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.({ port: origin.port })
