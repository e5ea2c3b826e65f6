/** Who asks, as far as an address can say. */
export interface ClientAddress {
  /** Canonical text: "203.0.113.7", "2001:db8::1" (RFC 5952). */
  readonly text: string
  readonly version: 4 | 6
  /** The /24 (v4) or /48 (v6) it belongs to, in CIDR form. */
  readonly prefix: string
  /** What one subscriber holds: the v4 address itself, or the v6 /64 in CIDR form. */
  readonly subscriber: string
  /** Autonomous system number; 0 when no network data knows the address. */
  readonly asn: number
}
