/** Whether several threads may listen on one port, shared out by the kernel (SO_REUSEPORT, and what balances by it). */
export function hasReusePort(platform: NodeJS.Platform = process.platform): boolean {
  // Node's own list; macOS and Windows have no balancing between the listeners.
  return ['linux', 'freebsd', 'sunos', 'aix'].includes(platform)
}
