/** Speaks like `nft -i` at the other end of a pipe; what it does with a file of commands is its first word. */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

for await (const line of createInterface({ input: process.stdin })) {
  const file = /^include "(.*)"$/.exec(line)?.[1]
  if (file === undefined) {
    process.stderr.write(`Error: syntax error, unexpected newline, expecting string\n${line}\n      ^\n`)
    continue
  }
  const commands = readFileSync(file, 'utf8')
  const where = `In file included from <cmdline>:1:1-31:\n${file}:1:1-5: `
  if (commands.startsWith('refuse'))
    process.stderr.write(`${where}Error: No such file or directory\n${commands}\n^^^^^\n`)
  else if (commands.startsWith('speak')) process.stdout.write(commands)
  else if (commands.startsWith('flood')) process.stderr.write(`Error: ${'x'.repeat(1_000_000)}\n`)
  else if (commands.startsWith('die')) process.kill(process.pid, 'SIGKILL')
  else if (commands.startsWith('hang')) await new Promise(() => setInterval(() => {}, 1000))
}
