export { type Config, configSchema, type LimitsConfig, type ListenConfig, type SiteConfig } from './schema.ts'
