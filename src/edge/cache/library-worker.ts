/** Entry of the library's thread. */
import { parentPort, workerData } from 'node:worker_threads'
import { LibraryDesk } from './library-desk.ts'
import type { LibraryStart, LibraryToMain, MainToLibrary } from './library-protocol.ts'

const port = parentPort!
const say = (message: LibraryToMain) => port.postMessage(message)
const desk = new LibraryDesk(workerData as LibraryStart, (event) => say({ type: 'event', event }))
// Messages wait in the port until it listens, and it listens once the library can act on them.
await desk.open()
port.on('message', async (message: MainToLibrary) => {
  switch (message.type) {
    case 'attach':
      desk.attach(message.thread, message.port)
      break
    case 'purge':
      say({ type: 'purged', id: message.id, removed: await desk.purge(message.what) })
      break
    case 'report':
      say({ type: 'reported', id: message.id, report: desk.report() })
      break
    case 'close':
      await desk.close()
      say({ type: 'closed', id: message.id })
      port.close()
      break
    default:
      message satisfies never
  }
})
