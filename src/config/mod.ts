export { parseLoopback } from './check.ts'
export { ConfigError, type Fault, formatFault } from './fault.ts'
export {
  orThrow,
  type ReadOptions,
  type ReadResult,
  readConfigFile,
  readConfigText,
  readConfigValue,
} from './read.ts'
export { configReference, jsonSchema } from './reference.ts'
export {
  type CacheConfig,
  type ChallengeConfig,
  type Config,
  configSchema,
  type LimitsConfig,
  type ListConfig,
  type ListenConfig,
  type PageConfig,
  type SiteConfig,
} from './schema.ts'
