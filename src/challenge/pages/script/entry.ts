/** What runs when a page is loaded. `scripts/build-page-script.ts` bundles it. */
import type { PageWindow } from './browser.ts'
import { runPage } from './page-script.ts'

/** `self`, because browsers of 2018 have no `globalThis`. */
declare const self: PageWindow

runPage(self, { nowMs: Date.now, later: setTimeout })
