/** What is published of the schema: JSON Schema for editors, and the reference for people. */
import { z } from 'zod'
import { fileSchema } from './schema.ts'

export interface JsonSchema {
  readonly [key: string]: unknown
}

/** JSON Schema (2020-12) of a configuration file, short forms included. */
export function jsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-2020-12' }) as JsonSchema
  return { title: 'Configuration of Digue', ...schema }
}

/** The reference of the configuration as Markdown (docs/configuration.md). */
export function configReference(): string {
  const schema = jsonSchema()
  const sections = [
    '# Configuration',
    '',
    '<!-- Made from the descriptions in src/config/schema.ts by `npm run schema`; change them there. -->',
    '',
    'One YAML file, `digue.yaml`, and beside it a folder `conf.d` whose `*.yaml` files may add sites (`sites:` only).',
    'Relative paths start at the folder of `digue.yaml`. `${NAME}` and `${NAME:-default}` in values are replaced from the',
    'environment; `$${` stands for `${`. Durations are written `500ms`, `10s`, `5m`, `24h`, `7d`; sizes `64kB`, `5MB`, `1GB`.',
    '`digue check` tells every fault at once; `digue schema` prints the JSON Schema for editors.',
    '',
    '## Example',
    '',
    '```yaml',
    EXAMPLE.trim(),
    '```',
    '',
  ]
  const groups = [
    {
      title: 'The whole file',
      node: schema,
      prefix: '',
      skip: ['limits', 'kernel', 'admin', 'log', 'defaults', 'listen', 'lists', 'calendar', 'sites'],
    },
    { title: '`listen`', node: member(schema, 'listen'), prefix: 'listen[].', skip: [] },
    { title: '`lists`', node: member(schema, 'lists'), prefix: 'lists[].', skip: [] },
    { title: '`calendar`', node: member(schema, 'calendar'), prefix: 'calendar[].', skip: [] },
    { title: '`limits`', node: member(schema, 'limits'), prefix: 'limits.', skip: [] },
    { title: '`kernel`', node: member(schema, 'kernel'), prefix: 'kernel.', skip: [] },
    { title: '`admin`', node: member(schema, 'admin'), prefix: 'admin.', skip: [] },
    { title: '`log`', node: member(schema, 'log'), prefix: 'log.', skip: [] },
    { title: '`sites`', node: member(schema, 'sites'), prefix: 'sites[].', skip: [] },
    {
      title: '`rules` of a site',
      node: member(mapping(member(schema, 'sites')) ?? {}, 'rules'),
      prefix: 'sites[].rules[].',
      skip: [],
    },
  ]
  for (const group of groups) {
    sections.push(`## ${group.title}`, '')
    if (group.prefix !== '' && typeof group.node?.['description'] === 'string')
      sections.push(group.node['description'], '')
    if (group.prefix === 'sites[].') {
      sections.push(
        '`defaults` takes the same keys (but for `host` and `hosts`) and holds for every site that does not give its own.',
        '',
      )
    }
    sections.push(
      '| setting | default | meaning |',
      '| --- | --- | --- |',
      ...rows(group.node, group.prefix, group.skip),
      '',
    )
  }
  return sections.join('\n')
}

/** Shown in the reference; a test reads it. */
export const EXAMPLE = `
listen: [":80", ":443 tls"]
trustedProxies: ["192.0.2.10"]
defaults:
  certificate: /etc/digue/example.org.pem
  key: /etc/digue/example.org.key
  redirectToHttps: true
sites:
  - { host: www.example.org, origin: "http://127.0.0.1:3000" }
  - { host: shop.example.org, origin: "http://127.0.0.1:3001", maxInFlight: 50 }
  - hosts: [api.example.org, "*.api.example.org"]
    origins: ["http://127.0.0.1:4000", "http://127.0.0.1:4001"]
    healthCheck: { path: /health }
`

function member(schema: JsonSchema, name: string): JsonSchema | undefined {
  return (schema['properties'] as Record<string, JsonSchema> | undefined)?.[name]
}

/** The mapping in `node`: itself, an item of it, or an option of either. */
function mapping(node: JsonSchema | undefined): JsonSchema | undefined {
  if (node === undefined) return undefined
  if (node['properties'] !== undefined) return node
  if (node['items'] !== undefined) return mapping(node['items'] as JsonSchema)
  for (const option of (node['anyOf'] as JsonSchema[] | undefined) ?? []) {
    const found = mapping(option)
    if (found !== undefined) return found
  }
  return undefined
}

function rows(node: JsonSchema | undefined, prefix: string, skip: readonly string[]): string[] {
  const lines: string[] = []
  for (const [name, field] of Object.entries(
    (mapping(node)?.['properties'] ?? {}) as Record<string, JsonSchema>,
  )) {
    if (skip.includes(name)) continue
    const fallback = field['default'] === undefined ? '' : `\`${JSON.stringify(field['default'])}\``
    const cells = [`\`${prefix}${name}\``, fallback, String(field['description'] ?? '')]
    lines.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    if (field['properties'] !== undefined) lines.push(...rows(field, `${prefix}${name}.`, []))
  }
  return lines
}
