/**
 * What the operator wrote. The description of a field is its manual: docs/configuration.md and the
 * published JSON Schema are made from this file.
 *
 * `configSchema` is the canonical form the program lives on; `fileSchema` is what a file may look
 * like, with its short forms. short-forms.ts turns the second into the first.
 */
import { z } from 'zod'
import { parseDuration, parseSize } from '#kit'
import { LONGEST_EXPRESSION, MOST_RULES } from '#rules'

const quantity = (
  fallback: string,
  kind: { pattern: RegExp; expected: string; parse(text: string): number | undefined },
) =>
  z
    .string({ error: kind.expected })
    .regex(kind.pattern, kind.expected)
    .default(fallback)
    .transform((text) => kind.parse(text)!)

const DURATION = {
  pattern: /^\d{1,12}(\.\d{1,6})? ?(ms|s|m|h|d)$/,
  expected: 'expected a duration such as "500ms", "10s" or "5m"',
  parse: parseDuration,
} as const

const duration = (fallback: string) => quantity(fallback, DURATION)

const size = (fallback: string) =>
  quantity(fallback, {
    pattern: /^\d{1,12}(\.\d{1,6})? ?(B|kB|MB|GB|KiB|MiB|GiB)$/,
    expected: 'expected a size such as "64kB" or "5MB"',
    parse: parseSize,
  })

const WHOLE = 'expected a whole number above 0'
const count = (expected: string) => z.number(expected).int(expected).positive(expected)
const whole = count(WHOLE)
const flag = z.boolean('expected true or false')
const text = z
  .string('expected a text')
  .min(1, 'expected a text that is not empty')
  .max(4096, 'expected at most 4096 characters')

function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, `expected ${words.map((word) => `"${word}"`).join(' or ')}`)
}

const CIDR = 'expected a network such as "192.0.2.0/24" or "2001:db8::/32", or one address'
/** The pattern is coarse, for editors; check.ts has the last word. */
const cidr = z.string(CIDR).regex(/^[0-9A-Fa-f:.]{2,45}(\/\d{1,3})?$/, CIDR)

const HOST = 'expected a host name without port such as "www.example.org", "*.example.org", or "*" for any'
const host = z
  .string(HOST)
  .max(253, HOST)
  .regex(
    /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$|^\*$|^\[[0-9a-f:.]+\]$/,
    HOST,
  )

const ORIGIN =
  'expected "http://host:port", "https://host:port" or "unix:/path", without a path after the port'
const originSchema = z
  .string(ORIGIN)
  .max(512, ORIGIN)
  .regex(/^(https?:\/\/[^/\s?#@]+\/?|unix:\/[^\s]+)$/, ORIGIN)

const PORT = 'expected a port from 0 to 65535'

const PATTERN = 'expected a path such as "/robots.txt", "/emergency/*" or "*.rss"'
const SHA256 = 'expected a SHA-256 as 64 hexadecimal digits (`digue hash-token` makes one)'
const TOKEN = 'expected a name of letters, digits and "-" or "_"'
const MAIL = 'expected a mail address such as "info@example.org"'
const WEB = 'expected an https:// or http:// address'
const LANGUAGE = 'expected a language such as "fr" or "zh-Hant"'

/** How people get in while the site is overloaded. In calm weather none of it is seen. */
const challengeSchema = z
  .strictObject(
    {
      price: flag
        .default(true)
        .describe(
          'Ask those who cannot be told from the flood for a short calculation, in overload only. Off: they get the waiting room.',
        ),
      bits: z
        .number('expected a whole number from 1 to 24')
        .int('expected a whole number from 1 to 24')
        .min(1, 'expected a whole number from 1 to 24')
        .max(24, 'expected a whole number from 1 to 24')
        .optional()
        .describe('How dear one part of the calculation is; for tests. Chosen by measurement when absent.'),
      known: flag
        .default(true)
        .describe(
          'Remember by a first-party cookie without identity that somebody came on two days of calm weather, and let them go first in overload.',
        ),
      loginCookie: z
        .strictObject(
          {
            name: z
              .string(TOKEN)
              .regex(/^[!#$%&'*+.^_`|~A-Za-z0-9-]{1,128}$/, TOKEN)
              .describe('Name of the cookie that the site sets at login.'),
            check: oneOf(['none', 'express-hmac', 'jwt-hs256'])
              .default('none')
              .describe(
                'How its signature is checked. `none`: the site’s own answer in calm weather vouches for it.',
              ),
            secret: text.optional().describe('Secret of the signature; use `${ENV}`.'),
          },
          'expected `name:` and, if wished, `check:` and `secret:`',
        )
        .optional()
        .describe('Who is logged in counts as known from the first day.'),
      neverChallenged: z
        .array(
          z
            .string(PATTERN)
            .max(512, PATTERN)
            .regex(/^(\/[^*?#\s]*|\/[^*?#\s]+\*|\*[^*?#\s]+)$/, PATTERN),
          'expected a list of paths',
        )
        .max(256, 'expected at most 256 paths')
        .optional()
        .describe(
          'Paths that are never asked for a calculation; they wait in line. By default robots.txt, /.well-known/, feeds, sitemaps, health checks, accessibility statements, legal notices and emergency pages.',
        ),
      tokens: z
        .array(
          z.strictObject({
            name: text.describe('For the log.'),
            header: z
              .string(TOKEN)
              .regex(/^[A-Za-z0-9_-]{1,64}$/, TOKEN)
              .describe('Header field that carries the key.'),
            sha256: z
              .string(SHA256)
              .regex(/^[0-9a-f]{64}$/i, SHA256)
              .describe('SHA-256 of the key: the key itself is not written here.'),
            lane: oneOf(['operator', 'known', 'paid']).default('known').describe('Lane of who presents it.'),
          }),
          'expected a list of keys',
        )
        .max(256, 'expected at most 256 keys')
        .default([])
        .describe('API keys and header tokens that have a lane of their own.'),
      crawlers: flag
        .default(true)
        .describe('Search engines, told by their published address ranges, go with the paid lane.'),
      crawlerRanges: z
        .array(cidr, 'expected a list of networks')
        .max(4096, 'expected at most 4096 networks')
        .default([])
        .describe('Further networks of search engines and archives.'),
      crawlerDns: flag
        .default(false)
        .describe(
          'Also look up who calls itself a search engine by reverse and forward DNS, off the request’s path.',
        ),
    },
    'expected a mapping',
  )
  .prefault({})

const EMERGENCY = 'expected a path such as "/", "/news/*" or "/*"'
const PARAMETER = 'expected the name of a query parameter'

/** What is kept of the origin's answers, so that pages stay readable without it. */
const cacheSchema = z
  .strictObject(
    {
      enabled: flag
        .default(true)
        .describe('Keep answers that the origin allows shared caches to keep (RFC 9111), and serve them.'),
      heuristic: duration('5m').describe(
        'Longest time that an answer with Last-Modified and without a lifetime counts as fresh: a tenth of its age, up to this. `0s` for never.',
      ),
      staleFor: duration('24h').describe(
        'How long beyond its lifetime a page may stand in while the origin is full or down, where it does not forbid it itself.',
      ),
      objectBytes: size('8MB').describe('Largest body that is kept.'),
      emergency: z
        .array(
          z
            .string(EMERGENCY)
            .max(512, EMERGENCY)
            .regex(/^(\/\*?|\/[^*?#\s]+\*?|\*[^*?#\s]+)$/, EMERGENCY),
          'expected a list of paths',
        )
        .max(256, 'expected at most 256 paths')
        .default([])
        .describe(
          'Paths of public pages without a lifetime of which the last good copy is kept, and shown to everybody when the origin cannot answer. Only pages that are the same for all.',
        ),
      parameters: z
        .array(
          z.string(PARAMETER).regex(/^[^&=#\s]{1,64}$/, PARAMETER),
          'expected a list of query parameters',
        )
        .max(64, 'expected at most 64 query parameters')
        .default([])
        .describe(
          'Query parameters that change pages, beside those found by observation. Parameters that do not are passed over in overload.',
        ),
    },
    'expected a mapping',
  )
  .prefault({})

const RULE_NAME = 'expected a name such as "old-scraper" of letters, digits and ". _ -"'
const UNTIL = 'expected a date such as "2026-12-31" or a time such as "2026-12-31T18:00:00Z"'

/** check.ts has the last word on `when` and `until`. */
const ruleSchema = z.strictObject(
  {
    name: z
      .string(RULE_NAME)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, RULE_NAME)
      .describe('For log lines and figures; no other rule of the site has it.'),
    when: z
      .string('expected an expression')
      .min(1, 'expected an expression')
      .max(LONGEST_EXPRESSION, `expected an expression of at most ${LONGEST_EXPRESSION} characters`)
      .describe(
        'Which requests, as an expression of CEL, such as `path.startsWith("/search") && traits.agent == "curl"` (docs/rules.md).',
      ),
    // biome-ignore lint/suspicious/noThenProperty: a setting's name, and never a function.
    then: oneOf(['allow', 'weight', 'price', 'wait', 'refuse']).describe(
      'What is done with them. `allow`: nothing further is asked. `weight`: a tenth of their network’s share. `price`, `wait`: only who has paid, or whose turn has come, gets in. `refuse`: 403.',
    ),
    until: z
      .string(UNTIL)
      .max(40, UNTIL)
      .optional()
      .describe('Day to whose end (UTC), or time to which it holds. Without it, for good.'),
    note: text.max(500).optional().describe('Why: whoever finds it later will ask.'),
  },
  'expected `name:`, `when:` and `then:`',
)

/** What the pages say beside their own words. */
const pageSchema = z
  .strictObject(
    {
      name: text.max(200).optional().describe('Name of the site or its operator.'),
      logo: text
        .optional()
        .describe('SVG or PNG file of at most 4 kB, shown on the pages; relative to the configuration file.'),
      phone: text.max(64).optional().describe('Telephone number for people who need help.'),
      mail: z
        .string(MAIL)
        .regex(/^[^\s@<>"]{1,64}@[^\s@<>"]{1,190}$/, MAIL)
        .optional()
        .describe('Mail address for people who need help.'),
      link: z
        .strictObject(
          {
            href: z
              .string(WEB)
              .max(512, WEB)
              .regex(/^https?:\/\/[^\s"<>]+$/, WEB)
              .describe('Where.'),
            text: text.max(200).describe('What it is called.'),
          },
          'expected `href:` and `text:`',
        )
        .optional()
        .describe('Another place that works meanwhile.'),
      notice: z
        .union(
          [
            text.max(1000),
            z.record(
              z.string(LANGUAGE).regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, LANGUAGE),
              text.max(1000),
            ),
          ],
          'expected a text, or one for each language',
        )
        .optional()
        .describe('A sentence of the operator’s own; one text, or one by language.'),
      language: z
        .string(LANGUAGE)
        .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, LANGUAGE)
        .default('fr')
        .describe('Language for those whose own is not among the pages’.'),
    },
    'expected a mapping',
  )
  .prefault({})

export const listenSchema = z.strictObject({
  address: text.default('::').describe('Address to listen on; `::` takes IPv4 too.'),
  port: z.number(PORT).int(PORT).min(0, PORT).max(65535, PORT).describe('TCP port.'),
  tls: flag.default(false).describe('HTTPS (HTTP/2 and HTTP/1.1 by ALPN) instead of plain HTTP.'),
  proxyProtocol: z
    .array(cidr, 'expected a list of networks')
    .default([])
    .describe(
      'Peers that must begin each connection with a PROXY protocol header (v1 or v2). Others may not send one.',
    ),
})

export const siteSchema = z.strictObject({
  hosts: z
    .array(host, 'expected a list of host names')
    .min(1, HOST)
    .max(1000, 'expected at most 1000 host names')
    .describe(
      'Host names of the site; `*.example.org` for all below, `*` for any. Short form: `host` with one name.',
    ),
  origins: z
    .array(originSchema, 'expected a list of origins')
    .min(1, ORIGIN)
    .max(32, 'expected at most 32 origins')
    .describe(
      'Where the site really runs. Several share the load, the unhealthy ones rest. Short form: `origin` with one.',
    ),
  originHost: text.optional().describe('Host sent to the origin; the client’s own by default.'),
  verifyOrigin: flag.default(true).describe('Check the certificate of an https:// origin.'),
  certificate: text.optional().describe('PEM file with the certificate chain; read again when it changes.'),
  key: text.optional().describe('PEM file with the private key.'),
  redirectToHttps: flag.default(false).describe('Answer plain HTTP with 308 to HTTPS.'),
  acmeChallenge: text
    .default('origin')
    .describe('Where /.well-known/acme-challenge/ is answered: `origin`, or a directory.'),
  mode: oneOf(['protect', 'observe'])
    .default('protect')
    .describe('`observe` decides and records, and lets everything pass.'),
  maxInFlight: whole
    .optional()
    .describe('Never more requests at the origin than this. Found by itself when absent.'),
  maxLongLived: whole
    .default(4096)
    .describe('Downloads over 2 s, event streams and WebSockets open at once.'),
  healthCheck: z
    .strictObject(
      {
        path: z
          .string('expected a path such as "/health"')
          .startsWith('/', 'expected a path such as "/health"')
          .describe('Asked on each origin; any answer below 500 is healthy.'),
        every: duration('5s').describe('Time between two checks.'),
      },
      'expected `path:` and, if wished, `every:`',
    )
    .optional()
    .describe('Active check of each origin. Without it an origin rests after failures of its own.'),
  bodyBytes: size('5GB').describe('Largest request body.'),
  originTimeout: duration('60s').describe('Longest wait for the first byte of the origin’s answer.'),
  challenge: challengeSchema.describe('How people get in while the site is overloaded.'),
  cache: cacheSchema.describe('What is kept of the origin’s answers.'),
  signatures: flag
    .default(true)
    .describe(
      'Recognise what a flood’s clients have in common and hardly a visitor shows, and give them a tenth of their networks’ share.',
    ),
  rules: z
    .array(ruleSchema, 'expected a list of rules')
    .max(MOST_RULES, `expected at most ${MOST_RULES} rules`)
    .default([])
    .describe(
      'The operator’s own rules: the first that fits decides. Try one with `digue rule test` before it acts.',
    ),
  page: pageSchema.describe('What the pages of Digue say of the site.'),
})

const AUTO = 'expected a whole number above 0, or "auto"'

export const limitsSchema = z
  .strictObject({
    headBytes: size('32kB').describe('Largest request head.'),
    headTimeout: duration('10s').describe('Time for a complete request head.'),
    idleTimeout: duration('60s').describe('Time a connection may be idle between requests.'),
    minBytesPerSecond: whole
      .default(500)
      .describe('Slowest pace for sending a body or reading an answer, after 5 s of grace.'),
    connections: z
      .union([count(AUTO), z.literal('auto')], AUTO)
      .default('auto')
      .describe('Open client connections in all; `auto` sizes it by the descriptor limit.'),
    handshakeShare: z
      .number('expected a share above 0 and at most 1')
      .gt(0, 'expected a share above 0 and at most 1')
      .max(1, 'expected a share above 0 and at most 1')
      .default(0.6)
      .describe('Share of an edge thread’s CPU that new TLS handshakes may take.'),
    streams: whole.default(100).describe('Concurrent HTTP/2 streams per connection.'),
  })
  .prefault({})

const LIST_NAME = 'expected a name of small letters, digits and "-" such as "spamhaus-drop"'
const LIST_URL = 'expected an https:// address'
const LAPI = 'expected an http:// or https:// address without a path, such as "http://127.0.0.1:8080"'

const INSTANT = 'expected a date and time with its offset such as "2026-12-06T08:00+01:00"'
const instant = z
  .string(INSTANT)
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/, INSTANT)
  .refine((text) => !Number.isNaN(Date.parse(text)), INSTANT)
  .transform((text) => Date.parse(text))

const dateSchema = z.strictObject({
  name: text.max(100, 'expected at most 100 characters').describe('What it is: shown in `digue status`.'),
  from: instant.describe('Its beginning.'),
  until: instant.describe('Its end.'),
  lead: duration('2h').describe('So long before its beginning Digue is armed.'),
})

/** Networks that somebody else, or the operator, keeps a list of. */
export const listSchema = z.strictObject({
  name: z
    .string(LIST_NAME)
    .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, LIST_NAME)
    .describe('What it is called in the log and in `digue lists`.'),
  file: text
    .optional()
    .describe('File with the networks, relative to the configuration file; read again when it changes.'),
  url: z
    .string(LIST_URL)
    .max(2048, LIST_URL)
    .regex(/^https:\/\/[^\s@#]+$/, LIST_URL)
    .optional()
    .describe(
      'Or where to fetch them: https only, no redirects, no private addresses, at most 64 MB. The last good copy stays in force when it fails.',
    ),
  crowdsec: z
    .strictObject(
      {
        url: z
          .string(LAPI)
          .max(512, LAPI)
          .regex(/^https?:\/\/[^/\s?#@]+\/?$/, LAPI)
          .default('http://127.0.0.1:8080')
          .describe('The local API; plain http only to this machine or to a private address.'),
        keyFile: text.describe(
          'File with the API key that `cscli bouncers add digue` prints; relative to the configuration file.',
        ),
      },
      'expected `keyFile:` and, if wished, `url:`',
    )
    .optional()
    .describe('Or the decisions of a CrowdSec on this machine or beside it.'),
  // biome-ignore lint/suspicious/noThenProperty: a word in the file, and nothing that could be called
  then: oneOf(['weight', 'price', 'wait', 'refuse', 'allow'])
    .optional()
    .describe(
      'What is done to who is on it: `weight` (the default): a tenth of their network’s share in overload; `price` or `wait`: they prove effort or wait; `refuse`: 403; `allow`: the operator’s lane. For CrowdSec by default ban refuses, captcha asks a price, and all else weighs less.',
    ),
  refresh: z
    .string(DURATION.expected)
    .regex(DURATION.pattern, DURATION.expected)
    .transform((text) => DURATION.parse(text)!)
    .optional()
    .describe('How often to look again. By default `1h` for a URL, `10s` for a file and for CrowdSec.'),
  format: oneOf(['auto', 'plain', 'csv', 'json'])
    .default('auto')
    .describe(
      '`plain`: an address, network or range a line; `csv`; `json`: one document, or one object a line. `auto` finds out.',
    ),
})

const TABLE = 'expected the name of a table of family inet, such as "filter"'
const ENTRIES = 'expected a whole number from 1 to 262144'

/** Offenders dropped by nftables, before they cost a connection. */
export const kernelSchema = z
  .strictObject(
    {
      mode: oneOf(['auto', 'set-only', 'off'])
        .default('auto')
        .describe(
          'Who goes on hammering after having been dropped is dropped by the kernel (nftables) where that is possible. `set-only` fills sets for rules of your own; `off` leaves it to Digue.',
        ),
      socket: text
        .default('/run/digue-kernel/kernel.sock')
        .describe(
          'Unix socket of `digue kernel-helper`, the process that alone may change the kernel’s tables.',
        ),
      table: z
        .string(TABLE)
        .regex(/^[A-Za-z][A-Za-z0-9_-]{0,30}$/, TABLE)
        .default('digue')
        .describe('With `set-only`: the table (family inet) whose sets `drop4` and `drop6` are filled.'),
      maxEntries: z
        .number(ENTRIES)
        .int(ENTRIES)
        .min(1, ENTRIES)
        .max(262_144, ENTRIES)
        .default(65_536)
        .describe('Most addresses (IPv6: /64 networks) that are dropped at once.'),
      ports: z
        .array(z.number(PORT).int(PORT).min(1, PORT).max(65535, PORT), 'expected a list of ports')
        .max(64, 'expected at most 64 ports')
        .default([])
        .describe(
          'Ports that the dropped cannot reach, as their packets name them; those of `listen` when empty. All others, SSH among them, stay open to everybody.',
        ),
      never: z
        .array(cidr, 'expected a list of networks')
        .max(4096, 'expected at most 4096 networks')
        .default([])
        .describe('Networks that the kernel never drops: your office, your monitoring.'),
    },
    'expected a mapping',
  )
  .prefault({})

const THREADS = 'expected a whole number from 1 to 256, or "auto"'

const common = {
  state: text
    .default('state')
    .describe('Directory for what is kept over restarts; relative to the configuration file.'),
  threads: z
    .union([count(THREADS).max(256, THREADS), z.literal('auto')], THREADS)
    .default('auto')
    .describe('Edge threads; `auto` is one per core.'),
  keys: text
    .default('keys')
    .describe(
      'File with the secret from which all tokens are made: 64 hexadecimal digits, mode 0600; made when it is not there. Relative to the state directory. Machines that share it accept each other’s tokens.',
    ),
  trustedProxies: z
    .array(cidr, 'expected a list of networks')
    .max(4096, 'expected at most 4096 networks')
    .default([])
    .describe('Proxies and CDNs in front of Digue whose forwarding fields are believed.'),
  networks: text
    .optional()
    .describe(
      'CSV (`first,last,asn,name` or `cidr,asn,name`) or mmdb of networks; the bundled table otherwise.',
    ),
  lists: z
    .array(listSchema, 'expected a list of lists of networks')
    .max(32, 'expected at most 32 lists')
    .default([])
    .describe('Lists of networks, and what is done to who is on them. docs/lists.md says more.'),
  calendar: z
    .array(dateSchema, 'expected a list of dates')
    .max(100, 'expected at most 100 dates')
    .default([])
    .describe(
      'Dates on which a flood is to be expected. Around them Digue is armed: stored pages are refreshed long before they run out, overload is believed sooner, and `digue status` says so.',
    ),
  cache: z
    .strictObject({
      memory: size('64MB').describe('Memory for stored answers, of all sites and threads together.'),
      disk: size('1GB').describe('Room for stored answers in the state directory; `0B` for none.'),
    })
    .prefault({})
    .describe('Room for the answers that are kept.'),
  limits: limitsSchema.describe('Bounds on what one client, and all of them, may take.'),
  kernel: kernelSchema.describe('Offenders dropped by the kernel.'),
  admin: z
    .strictObject({
      metrics: text
        .default('127.0.0.1:9180')
        .describe('Loopback address and port of /metrics; `off` for none.'),
      socket: text
        .default('digue.sock')
        .describe('Unix socket for commands (mode 0600), relative to the state directory.'),
    })
    .prefault({})
    .describe('For the operator of this machine only.'),
  log: z
    .strictObject({
      level: oneOf(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('Least severe line that is written to stdout.'),
      requests: oneOf(['all', 'mitigated', 'none'])
        .default('mitigated')
        .describe('Which requests get a JSON line.'),
      perSecond: whole
        .default(100)
        .describe('Request lines per second; beyond it lines are sampled and the number left out is stated.'),
      access: text.optional().describe('File for an access log in combined format.'),
    })
    .prefault({})
    .describe('What is written about requests.'),
}

export const configSchema = z.strictObject({
  ...common,
  listen: z
    .array(listenSchema, 'expected a list of listeners')
    .min(1, 'expected at least one listener')
    .max(64, 'expected at most 64 listeners')
    .default([{ address: '::', port: 8080, tls: false, proxyProtocol: [] }])
    .describe(
      'Where clients connect. Short form: `":8080"`, `":443 tls"`, `"192.0.2.1:80"`, `"[2001:db8::1]:443 tls"`.',
    ),
  sites: z
    .array(siteSchema, 'expected a list of sites')
    .min(1, 'expected at least one site')
    .max(10_000, 'expected at most 10000 sites')
    .describe('The sites behind Digue.'),
})

const listenText = z
  .string()
  .regex(/^(\S*:)?\d{1,5}( tls)?$/, 'expected a listener such as ":8080" or ":443 tls"')
const listenEntry = z.union([listenText, z.number().int().min(0).max(65535), listenSchema])

/** A site as a file may give it. */
const siteEntry = siteSchema.partial({ hosts: true, origins: true }).extend({
  host: host.optional().describe('Short for `hosts` with one name.'),
  origin: originSchema.optional().describe('Short for `origins` with one.'),
})

/** What a file may look like: the published JSON Schema. */
export const fileSchema = z.strictObject({
  ...common,
  listen: z
    .union([listenEntry, z.array(listenEntry).min(1).max(64)])
    .optional()
    .describe(configSchema.shape.listen.description ?? ''),
  defaults: siteEntry
    .omit({ hosts: true, host: true })
    .optional()
    .describe('Settings of every site that does not give its own.'),
  sites: z
    .array(siteEntry)
    .min(1)
    .max(10_000)
    .optional()
    .describe(configSchema.shape.sites.description ?? ''),
})

/** A file of the conf.d folder: sites only. */
export const folderFileSchema = z.strictObject({ sites: z.array(siteEntry) })

export type Config = z.output<typeof configSchema>
export type SiteConfig = z.output<typeof siteSchema>
export type ListenConfig = z.output<typeof listenSchema>
export type ChallengeConfig = SiteConfig['challenge']
export type CacheConfig = SiteConfig['cache']
export type PageConfig = SiteConfig['page']
export type ListConfig = z.output<typeof listSchema>
export type KernelConfig = Config['kernel']
export type LimitsConfig = z.output<typeof limitsSchema>
