#!/usr/bin/env node
// Nothing but the version check here: an older Node must get this far to be told what to do.
const major = Number(process.versions.node.split('.')[0])
if (major < 26) {
  process.stderr.write(
    `Digue needs Node.js 26 or newer, this is ${process.versions.node}.\n` +
      'Install it from https://nodejs.org/, or let npm bring it along for this command:\n' +
      '  npx --package node@26 --package digue -- digue start\n',
  )
  process.exitCode = 2
} else {
  const { main } = await import('./program.ts')
  process.exitCode = await main(process.argv.slice(2))
}
