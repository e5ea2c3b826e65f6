/** Writes what is published of the configuration's schema: config.schema.json and docs/configuration.md. */
import { writeFileSync } from 'node:fs'
import { configReference, jsonSchema } from '#config'

writeFileSync(new URL('../config.schema.json', import.meta.url), `${JSON.stringify(jsonSchema(), null, 2)}\n`)
writeFileSync(new URL('../docs/configuration.md', import.meta.url), configReference())
