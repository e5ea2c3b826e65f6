/** The commands. Each says what it does with an example; the work is in the files they call. */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { formatFault, jsonSchema, readConfigFile } from '#config'
import { CommandError, type Status, sendCommand } from '#console'
import { type Decision, POSTURES, SIGNATURE_EXPORTS, type SignatureWish } from '#control'
import { parseDuration } from '#kit'
import { EFFECTS, type Effect } from '#recognise'
import { decisionsText, type WishFlags, wishOf } from './decisions.ts'
import { findSocket, usualConfig } from './locate.ts'
import { CliError, EXIT, processTerminal, type Terminal } from './output.ts'
import type { SignatureFlags } from './signatures.ts'
import { statusText } from './status-text.ts'
import { version } from './version.ts'

/** Runs one command; the exit code. */
export async function main(args: readonly string[], terminal: Terminal = processTerminal): Promise<number> {
  const program = build(terminal)
  try {
    await program.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? EXIT.ok)
  } catch (error) {
    // Whoever asked for JSON parses what comes on stdout, whatever came of it.
    const asJson = args.includes('--json')
    const told = (message: string, code: string, text = message) => {
      if (asJson) terminal.out(`${JSON.stringify({ error: message, code }, undefined, 2)}\n`)
      else terminal.error(`digue: ${text}\n`)
    }
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok
      // Its text and the hint are on stderr already.
      if (asJson) told(error.message.replace(/^error: /, ''), 'DIGUE_USAGE')
      return EXIT.usage
    }
    if (error instanceof CliError) {
      told(error.message, error.code)
      return error.exit
    }
    if (error instanceof CommandError) {
      told(error.message, error.code)
      return error.code === 'DIGUE_NOT_RUNNING' ? EXIT.notRunning : EXIT.failed
    }
    const fault = error as NodeJS.ErrnoException
    const isPlain = fault.code !== undefined && process.env['DIGUE_DEBUG'] === undefined
    told(
      fault.message ?? String(error),
      fault.code ?? 'DIGUE_FAULT',
      isPlain ? fault.message : (fault.stack ?? String(fault)),
    )
    return EXIT.failed
  }
}

function port(text: string): number {
  const value = Number(text)
  if (!/^\d{1,5}$/.test(text) || value > 65535)
    throw new InvalidArgumentError('Expected a port from 0 to 65535.')
  return value
}

function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 30m, 1h or 7d.')
  return ms
}

function whole(text: string): number {
  const value = Number(text.replace(/^AS/i, ''))
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('Expected a whole number above 0.')
  return value
}

const several = (value: string, before: string[] | undefined) => [...(before ?? []), value]

function build(terminal: Terminal): Command {
  const json = (value: unknown) => terminal.out(`${JSON.stringify(value, undefined, 2)}\n`)
  const program = new Command('digue')
  program
    .description('Keeps a web site served through an HTTP flood.')
    .version(version(), '-V, --version')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(`digue <command> --help` shows how, with examples)')
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.error(text) })
    .addHelpText(
      'after',
      '\nExit codes: 0 done; 1 it did not work; 2 wrong command line or configuration; 3 no Digue runs there.\n',
    )

  const command = (name: string, description: string, examples: readonly string[]) =>
    program
      .command(name)
      .description(description)
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}\n`)

  const steered = (target: Command) =>
    target
      .option('-c, --config <file>', 'configuration of the Digue to talk to')
      .option('--state <folder>', 'its state directory')
      .option('--socket <path>', 'its command socket')
      .option('--json', 'print JSON')

  command('start', 'Try it out: a demo site of limited capacity, and Digue before it.', [
    'digue start                                    # demo site, Digue on port 8080',
    'digue start --origin http://127.0.0.1:3000     # your own site instead',
    'digue start --port 9000 --self-signed          # HTTPS too, on port 9001',
  ])
    .option('--origin <url>', 'put Digue before this site instead of the demo site')
    .option('-p, --port <port>', 'port to listen on', port, 8080)
    .option('--self-signed', 'HTTPS too, on the next port, with a certificate made on the spot')
    .option('--state <folder>', 'where to keep what is learned')
    .action(async (flags) => (await import('./start.ts')).start(flags, terminal))

  command('run', 'Serve: one site by flags, or many by a configuration file.', [
    'digue run --origin http://127.0.0.1:3000',
    'digue run --origin http://10.0.0.5 --origin http://10.0.0.6 --listen :80',
    'digue run --config /etc/digue/digue.yaml --baseline-from /var/log/nginx/access.log.1',
    'digue run --config digue.yaml --observe        # decide and record, change nothing',
  ])
    .option(
      '-c, --config <file>',
      'YAML file; ./digue.yaml or /etc/digue/digue.yaml when neither this nor --origin is given',
    )
    .option('--origin <url>', 'where the site really runs (may be repeated)', several)
    .option('-l, --listen <where>', 'such as ":8080" or ":443 tls" (may be repeated; with --origin)', several)
    .option('-p, --port <port>', 'short for --listen ":port" (with --origin)', port)
    .option('--state <folder>', 'where to keep what is learned (with --origin)')

    .option(
      '--baseline-from <file>',
      'learn calm weather from an old access log, packed or not, or from what `digue replay --learn` wrote (with several sites SITE=FILE; may be repeated)',
      several,
    )
    .option('--self-signed', 'make a certificate for sites that have none: for trying HTTPS out')
    .option('--observe', 'decide and record, but let everything pass')
    .action(async (flags) => (await import('./run.ts')).run(flags, terminal))

  command('demo', 'A 30-second flood against the demo site, first without and then through Digue.', [
    'npm run demo',
  ])
    .option('--seconds <n>', 'length of each flood', whole, 30)
    .action(async (flags) => (await import('./demo.ts')).demo(flags))

  command('check', 'Read a configuration and tell all its faults at once.', [
    'digue check',
    'digue check /etc/digue/digue.yaml --json',
  ])
    .argument('[file]', 'YAML file (default: ./digue.yaml, then /etc/digue/digue.yaml)')
    .option('--self-signed', 'as with `run --self-signed`: certificates may be missing')
    .option('--json', 'print JSON')
    .action((file: string | undefined, flags: { selfSigned?: boolean; json?: boolean }) => {
      const chosen = file ?? usualConfig()
      if (chosen === undefined)
        throw new CliError(
          'no configuration given, and neither ./digue.yaml nor /etc/digue/digue.yaml is there',
          EXIT.usage,
        )
      const result = readConfigFile(chosen, { selfSigned: flags.selfSigned === true })
      if (flags.json)
        json(
          result.ok ? { ok: true, sites: result.config.sites.length } : { ok: false, faults: result.faults },
        )
      else if (result.ok) {
        const { sites, listen } = result.config
        terminal.out(
          `${chosen}: good. ${sites.length} ${sites.length === 1 ? 'site' : 'sites'}, ${listen.length} ${listen.length === 1 ? 'listener' : 'listeners'}.\n`,
        )
      } else
        terminal.error(
          `${chosen}: ${result.faults.length} ${result.faults.length === 1 ? 'fault' : 'faults'}.\n${result.faults.map((fault) => `  ${formatFault(fault)}`).join('\n')}\n`,
        )
      if (!result.ok) process.exitCode = EXIT.usage
    })

  steered(
    command('status', 'Who is served, who is not and why, and how the origin does.', [
      'digue status',
      'digue status --json',
    ]),
  ).action(async (flags) => {
    const status = (await sendCommand(findSocket(flags), { command: 'status' })) as Status
    if (flags.json) json(status)
    else terminal.out(statusText(status, Date.now()))
  })

  steered(
    command('attack', 'Say that there is an attack, or that there is none, over what Digue thinks.', [
      'digue attack on        # be strict now',
      'digue attack auto      # let Digue decide again',
    ]),
  )
    .addArgument(new Argument('<mode>').choices(['on', 'off', 'auto']))
    .action(async (mode: 'on' | 'off' | 'auto', flags) => {
      const result = await sendCommand(findSocket(flags), { command: 'attack', mode })
      if (flags.json) json(result)
      else if (mode === 'on')
        terminal.out('Attack mode is on: every site is treated as flooded until `digue attack auto`.\n')
      else if (mode === 'off')
        terminal.out('Attack mode is off: no site is treated as flooded until `digue attack auto`.\n')
      else terminal.out('Digue decides by itself again.\n')
    })

  steered(
    command('bypass', 'Let everything pass, at once: for when Digue itself is suspected.', [
      'digue bypass on',
      'digue bypass off',
    ]),
  )
    .addArgument(new Argument('<on|off>').choices(['on', 'off']))
    .action(async (word: 'on' | 'off', flags) => {
      const result = await sendCommand(findSocket(flags), { command: 'bypass', on: word === 'on' })
      if (flags.json) json(result)
      else
        terminal.out(
          word === 'on'
            ? 'Everything passes now. `digue bypass off` puts Digue back to work.\n'
            : 'Digue decides again.\n',
        )
    })

  command('doctor', 'Look for what would let a flood around Digue, or make it weak.', [
    'digue doctor',
    'digue doctor --config /etc/digue/digue.yaml --json',
  ])
    .option('-c, --config <file>', 'configuration to look at')
    .option('--origin <url>', 'or the origin, where Digue runs without a configuration', several)
    .option('--state <folder>', 'state directory of the Digue to ask')
    .option('--socket <path>', 'its command socket')
    .option('--json', 'print JSON')
    .action(async (flags) => (await import('./doctor.ts')).doctor(flags, terminal))

  const decisions = command(
    'decisions',
    'Your own word on networks, paths and hosts. Allow beats refuse; every decision ends by itself.',
    [
      'digue decisions list',
      'digue decisions add --refuse --cidr 192.0.2.0/24 --for 2h --note "scraper, ticket 12"',
      'digue decisions add --allow --asn 64496',
      'digue decisions delete 3f2a',
    ],
  )
  steered(
    decisions
      .command('list')
      .description('Show what is in force.')
      .addHelpText('after', '\nExamples:\n  digue decisions list\n  digue decisions list --json\n'),
  ).action(async (flags) => {
    const list = (await sendCommand(findSocket(flags), { command: 'decisions' })) as Decision[]
    if (flags.json) json(list)
    else terminal.out(decisionsText(list, Date.now()))
  })
  steered(
    decisions.command('add').description('Allow or refuse a network, an AS, a path or a host for a time.'),
  )
    .addOption(new Option('--allow', 'these reach the operator’s lane').conflicts('refuse'))
    .option('--refuse', 'these get 403')
    .option('--cidr <network>', 'such as 192.0.2.0/24 or one address')
    .option('--asn <number>', 'autonomous system, such as 64496', whole)
    .option('--path <prefix>', 'such as /search')
    .option('--host <name>', 'such as shop.example.org')
    .option('--for <duration>', 'when it ends', duration, 3_600_000)
    .option('--note <text>', 'why: whoever finds it later will ask')
    .addHelpText(
      'after',
      '\nExample:\n  digue decisions add --refuse --path /search --for 30m --note "flooded"\n',
    )
    .action(async (flags: WishFlags & { json?: boolean }) => {
      const added = (await sendCommand(findSocket(flags), {
        command: 'addDecision',
        wish: wishOf(flags),
      })) as Decision
      if (flags.json) json(added)
      else terminal.out(decisionsText([added], Date.now()))
    })
  steered(
    decisions
      .command('delete')
      .description('End a decision now.')
      .argument('<id>', 'as shown by list')
      .addHelpText('after', '\nExample:\n  digue decisions delete 3f2a\n'),
  ).action(async (id: string, flags) => {
    const result = await sendCommand(findSocket(flags), { command: 'deleteDecision', id })
    if (flags.json) json(result)
    else terminal.out(`Decision ${id} is gone.\n`)
  })

  const signatures = command(
    'signatures',
    'What a flood’s clients share and visitors do not: found by Digue, ended by itself; your word on it.',
    [
      'digue signatures                               # in force, held back, forbidden, and why',
      'digue signatures pin s3f2a91c07b               # keep it for a day, whatever happens',
      'digue signatures effect s3f2a91c07b refuse     # a pinned one: 403 for all who fit',
      'digue signatures forbid s3f2a91c07b --note "our own app"',
      'digue signatures export --format nginx > digue-signatures.conf',
    ],
  )
  const ofSite = (target: Command) =>
    steered(target).option('--site <host>', 'on this site only (its first host)')
  const aboutId = (name: string, description: string) =>
    ofSite(signatures.command(name).description(description).argument('<id>', 'as shown by list'))
  const changes = async (wish: SignatureWish, flags: SignatureFlags) =>
    (await import('./signatures.ts')).changeSignature(wish, flags, terminal)
  ofSite(
    signatures
      .command('list', { isDefault: true })
      .description('Show what is in force, what is held back and why, and what you have forbidden.')
      .addHelpText(
        'after',
        '\nExamples:\n  digue signatures\n  digue signatures list --site www.example.org --json\n',
      ),
  ).action(async (flags) => (await import('./signatures.ts')).listSignatures(flags, terminal))
  aboutId('pin', 'Keep a signature in force for 24 hours; again to renew.')
    .addHelpText('after', '\nExample:\n  digue signatures pin s3f2a91c07b\n')
    .action((id: string, flags) => changes({ change: 'pin', id }, flags))
  aboutId('forbid', 'End a signature, and never publish it again.')
    .option('--note <text>', 'why: whoever finds it later will ask')
    .addHelpText('after', '\nExample:\n  digue signatures forbid s3f2a91c07b --note "our own app"\n')
    .action((id: string, flags) => changes({ change: 'forbid', id, note: flags.note ?? '' }, flags))
  aboutId('effect', 'What is done to those who fit a pinned signature.')
    .addArgument(
      new Argument('<effect>', 'weight: a tenth of their network’s share').choices(EFFECTS.slice(1)),
    )
    .addHelpText(
      'after',
      `
weight  a tenth of their network's share of the site (what every signature begins with)
price   only who has proved effort or history gets in
wait    only whose turn in the waiting room has come
refuse  403, but for those who were here in calm weather

Example:
  digue signatures effect s3f2a91c07b price
`,
    )
    .action((id: string, effect: Exclude<Effect, 'allow'>, flags) =>
      changes({ change: 'effect', id, effect }, flags),
    )
  aboutId('release', 'Take back a pin, with its effect, or a prohibition.')
    .addHelpText('after', '\nExample:\n  digue signatures release s3f2a91c07b\n')
    .action((id: string, flags) => changes({ change: 'release', id }, flags))
  ofSite(
    signatures
      .command('export')
      .description('Write those in force in another tool’s words, on standard output.')
      .addOption(
        new Option(
          '--format <format>',
          SIGNATURE_EXPORTS.map(({ name, about }) => `${name}: ${about}`).join('; '),
        )
          .choices(SIGNATURE_EXPORTS.map(({ name }) => name))
          .default('json'),
      ),
  )
    .addHelpText(
      'after',
      `
What the other tool cannot test wholly is left out with a comment that says why: half a signature
would hit more people.

Examples:
  digue signatures export --format rules --site www.example.org    # for digue.yaml: what is to stay
  digue signatures export --format nginx > /etc/nginx/conf.d/digue-signatures.conf
  digue signatures export --format ddos-clearing-house --site www.example.org > fingerprint.json
`,
    )
    .action(async (flags) => (await import('./signatures.ts')).exportSignatures(flags, terminal))

  const cache = command('cache', 'Pages that stay readable when the origin is full or down.', [
    'digue cache check https://www.example.org/ https://www.example.org/news',
    'digue cache status',
    'digue cache purge --url https://www.example.org/news',
  ])
  cache
    .command('check')
    .description(
      'Ask for pages, and say of each whether it can be stored, and what in its headers to change.',
    )
    .argument('<url...>', 'at most 200 of your own pages; `-` reads them from standard input')
    .option('--origin <url>', 'ask this origin for them, past whatever stands before it')
    .option('-c, --config <file>', 'configuration whose rules for the site hold; the usual ones otherwise')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Each page is asked for three times, without cookies: twice as it is, and once with a query
parameter that it does not know. Nothing else is sent anywhere.

Exit codes: 0 all of them can be shown while the origin is down; 1 some cannot; 2 wrong command line.

Examples:
  digue cache check https://www.example.org/ https://www.example.org/news
  digue cache check --origin http://127.0.0.1:3000 https://www.example.org/
  digue cache check --config /etc/digue/digue.yaml - < pages.txt
`,
    )
    .action(async (urls, flags) => (await import('./cache-check.ts')).cacheCheck(urls, flags, terminal))
  steered(
    cache
      .command('status')
      .description('What is stored, and how much of the requests it answers.')
      .addHelpText('after', '\nExamples:\n  digue cache status\n  digue cache status --json\n'),
  ).action(async (flags) => (await import('./cache-status.ts')).cacheStatus(flags, terminal))
  steered(
    cache
      .command('purge')
      .description(
        'Forget stored pages, in memory and on disk: give one of the options, or a tag with a host.',
      ),
  )
    .option('--url <url>', 'this one, with its query exactly, and all its variants')
    .option('--prefix <prefix>', 'all that begin so, such as www.example.org/news')
    .option('--host <name>', 'all of a host')
    .option('--tag <tag>', 'all that the origin gave this tag (Surrogate-Key or Cache-Tag)')
    .option('--all', 'everything')
    .addHelpText(
      'after',
      `
Examples:
  digue cache purge --url https://www.example.org/news?page=2
  digue cache purge --prefix www.example.org/news
  digue cache purge --tag article-7 --host www.example.org
  digue cache purge --all
`,
    )
    .action(async (flags) => (await import('./cache-purge.ts')).purge(flags, terminal))

  const lists = steered(
    command('lists', 'Lists of networks: what they hold, how far they act, and why.', [
      'digue lists',
      'digue lists refresh spamhaus-drop',
      'digue lists release spamhaus-drop',
      'digue lists --json',
    ]),
  ).action(async (flags) => (await import('./lists.ts')).lists(flags, terminal))
  lists
    .command('refresh')
    .description('Look now, instead of when it is due; waits up to 8 s for what comes.')
    .argument('[name]', 'one list; all of them otherwise')
    .addHelpText('after', '\nExamples:\n  digue lists refresh\n  digue lists refresh office\n')
    .action(async (name: string | undefined, _, command: Command) =>
      (await import('./lists.ts')).refreshLists(name, command.optsWithGlobals(), terminal),
    )
  lists
    .command('release')
    .description(
      'Let a list act that is held back, weighs only, or has grown, until twice as many visitors are on it.',
    )
    .argument('<name>', 'as shown by `digue lists`')
    .addHelpText('after', '\nExample:\n  digue lists release spamhaus-drop\n')
    .action(async (name: string, _, command: Command) =>
      (await import('./lists.ts')).releaseList(name, command.optsWithGlobals(), terminal),
    )

  steered(
    command('kernel', 'Those that the kernel drops, so that they cost no connection.', [
      'digue kernel status',
      'digue kernel status --json',
    ])
      .command('status')
      .description('How many the kernel drops, how many packets that was, or why it drops none.')
      .addHelpText('after', '\nExamples:\n  digue kernel status\n  digue kernel status --json\n'),
  ).action(async (flags) => (await import('./kernel.ts')).kernelStatus(flags, terminal))

  command(
    'kernel-helper',
    'The process that alone may change the kernel’s tables; packaging/digue-kernel.service runs it.',
    ['digue kernel-helper --config /etc/digue/digue.yaml'],
  )
    .option('-c, --config <file>', 'configuration of the Digue that it works for')
    .option('--socket <path>', 'Unix socket to listen on, instead of `kernel.socket`')
    .addOption(new Option('--child', 'started by Digue itself').hideHelp())
    .action(async (flags) => (await import('./kernel.ts')).kernelHelper(flags, terminal))

  const rule = command('rule', 'Your own rules (`rules:` of a site), tried out before they act.', [
    'digue rule list',
    'digue rule test --rule old-scraper --log /var/log/nginx/access.log',
    `digue rule test --when 'traits.agent == "curl"' --live 30s`,
  ])
  steered(
    rule
      .command('list')
      .description('The rules in force, in their order, and how often each decided.')
      .addHelpText('after', '\nExamples:\n  digue rule list\n  digue rule list --json\n'),
  ).action(async (flags) => (await import('./rule-list.ts')).ruleList(flags, terminal))
  rule
    .command('test')
    .description(
      'What a rule would touch: on access logs, or on what the running Digue sees now. Nothing is changed.',
    )
    .option('-c, --config <file>', 'configuration with the rules; the usual ones otherwise')
    .option('--site <host>', 'whose rules, and whose requests; needed where there are several sites')
    .addOption(new Option('--rule <name>', 'one rule; all of the site otherwise').conflicts('when'))
    .option('--when <expression>', 'an expression that is in no configuration yet')
    .addOption(
      new Option('--log <file...>', 'access logs, packed or not; `-` reads standard input').conflicts('live'),
    )
    .option('--live <duration>', 'watch the running Digue for so long, such as 30s', duration)
    .addOption(
      new Option('--posture <posture>', 'take this for the weather (logs: flooded; live: as it is)').choices([
        ...POSTURES,
      ]),
    )
    .option('--state <folder>', 'state directory of the running Digue')
    .option('--socket <path>', 'its command socket')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Minutes with at most twice the median of requests are called quiet: what a rule touches there are
mostly visitors. A log shows neither TLS nor most header fields nor cookies; where a rule needs them,
it says for how many requests it cannot be told.

Exit codes: 0 nothing to worry about; 1 there are warnings, such as more than 1 % of quiet traffic
touched; 2 wrong command line or expression; 3 no Digue runs there.

Examples:
  digue rule test --log access.log                                       # all rules of the site
  digue rule test --rule old-scraper --log access.log.1.gz access.log
  digue rule test --when 'path.startsWith("/search") && traits.agent == "curl"' --log access.log
  digue rule test --when 'headers["accept-language"] == ""' --live 60s --json
`,
    )
    .action(async (flags) => (await import('./rule-test.ts')).ruleTest(flags, terminal))

  command('replay', 'What Digue would have seen and done, from the site’s old access logs.', [
    'digue replay /var/log/nginx/access.log*',
    'digue replay access.log --html replay.html --since "2026-01-05 17:00" --until "2026-01-05 20:00"',
    'zcat access.log.*.gz | digue replay - --sort --json',
    'digue replay access.log.2.gz --learn calm.json     # then: digue run --baseline-from calm.json',
    'digue replay attack.log --baseline calm.json --site www.example.org',
  ])
    .argument('<log...>', 'access logs, plain, gzip or zstd, merged by time; `-` is standard input')
    .option('--html <file>', 'write a self-contained page as well')
    .option('--json', 'print JSON')
    .option('--since <when>', 'leave out what was before: a date, a date and time, or such as 7d')
    .option('--until <when>', 'leave out what was from then on')
    .option(
      '--host <name>',
      'only requests for this host, where the log names hosts (may be repeated)',
      several,
    )
    .option('--site <name>', 'all of it is this one site')
    .option(
      '--capacity <requests>',
      'what the origin can do in a second; else guessed from calm weather',
      whole,
    )
    .option(
      '--time-zone <name>',
      'of the hours shown, and of logs that name none (HAProxy); else the machine’s',
    )
    .option('--baseline <file>', 'calm weather as learned before with --learn')
    .option('--learn <file>', 'write the calm weather of this log: it names addresses')
    .option('--sort', 'put the logs in order first: found out by itself for plain files')
    .option('--networks <file>', 'your own table of networks (CSV or mmdb)')
    .option('--no-progress', 'say nothing while reading')
    .action(async (files, flags) => (await import('./replay.ts')).replay(files, flags, terminal))

  command('hash-token', 'Hash an API key for `challenge.tokens`; the key is read from standard input.', [
    'openssl rand -hex 24 | tee api-key | digue hash-token',
    'digue hash-token < api-key',
  ])
    .option('--json', 'print JSON')
    .action(async (flags) => (await import('./hash-token.ts')).hashTokenCommand(flags, terminal))

  command('schema', 'Print the JSON Schema of the configuration, for editors.', [
    'digue schema > digue.schema.json',
  ]).action(() => json(jsonSchema()))

  return program
}
