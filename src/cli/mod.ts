export { type DemoSite, startDemoSite } from './demo-site.ts'
export { main } from './program.ts'
