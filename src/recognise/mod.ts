export { type ClientHello, type HelloResult, parseClientHello } from './client-hello.ts'
export { ja4Of } from './ja4.ts'
export { type Kind, kindOf } from './kind.ts'
export { routeOf } from './route.ts'
