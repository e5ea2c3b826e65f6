export { type Address, formatAddress, maskAddress, parseAddress } from './address.ts'
export {
  type Cidr,
  type CidrFault,
  CidrSet,
  contains,
  formatCidr,
  lastWords,
  networkOf,
  parseCidr,
} from './cidr.ts'
export { AddressBook, type ClientAddress, identify, UNSPECIFIED } from './client-address.ts'
export { type Countries, openCountries } from './country.ts'
export { MOST_HOPS, type Resolved, resolveClient } from './forwarded-client.ts'
export { ForwardingWatch } from './forwarding-watch.ts'
export { bordersOf, type NetworkRange } from './network-borders.ts'
export { type CsvNetworks, type NamedRange, readNetworkCsv } from './network-csv.ts'
export {
  buildNetworkSet,
  layNetworkSets,
  MOST_LISTS,
  type NetworkGroup,
  type NetworkLayer,
  type NetworkMark,
  NetworkSet,
  type PackedRanges,
} from './network-set.ts'
export { NetworkTable, NetworkTableError } from './network-table.ts'
export { type OpenedNetworks, openNetworks } from './open-networks.ts'
export { addressOfProc } from './proc-address.ts'
export { type ProxyEndpoint, type ProxyHeader, parseProxyHeader } from './proxy-protocol.ts'
