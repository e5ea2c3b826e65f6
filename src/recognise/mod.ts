export { type ClientHello, type HelloResult, LARGEST_HELLO_BYTES, parseClientHello } from './client-hello.ts'
export { ja4Of } from './ja4.ts'
export { KINDS, type Kind, kindOf } from './kind.ts'
export { routeOf } from './route.ts'
