/** A process that stores pages until it is killed: `node library-writer.fixture.ts FOLDER`. A line for each round. */
import { Listener, page } from './library.fixture.ts'
import { Library } from './library.ts'
import { LibraryPort } from './library-port.ts'

const library = Library.start({
  threads: 2,
  directory: process.argv[2]!,
  memoryBytes: 1_000_000,
  diskBytes: 64_000_000,
  onEvent: () => {},
  onPort: () => {},
})
const port = new LibraryPort(library.attach(0), new Listener())
for (let round = 0; ; round++) {
  const nowMs = Date.now()
  for (let i = 0; i < 400; i++) {
    const body = Buffer.from(`page ${i} round ${round} `.padEnd(20_000, '.'))
    port.stored(page(`/${i}`, { body, requestedAtMs: nowMs, receivedAtMs: nowMs }))
    if (i % 40 === 0) await library.report()
  }
  if (((await library.report()).disk?.writes ?? 0) > 0) process.stdout.write(`${round}\n`)
}
