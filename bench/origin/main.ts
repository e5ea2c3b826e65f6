/** The origin as its own process, told what to do over IPC; ends when its parent does. */
import { type OriginPlan, startOrigin } from './origin.ts'

export type OriginCommand = { do: 'stats' } | { do: 'slow'; factor: number }

const origin = await startOrigin(JSON.parse(process.argv[2] ?? '{}') as OriginPlan)
process.on('message', (command: OriginCommand) => {
  if (command.do === 'slow') origin.slow(command.factor)
  process.send?.({ stats: origin.stats() })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ ports: [origin.port, origin.tlsPort] })
