/** stub */
export function routeOf(method: string, target: string): string {
  const query = target.indexOf('?')
  return `${method} ${query < 0 ? target : target.slice(0, query)}`
}
