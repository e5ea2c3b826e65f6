/** Every language there is, in the order of the switch. A file that is not in the list fails a test. */
import type { Catalogue } from '../catalogue.ts'
import { ar } from './ar.ts'
import { az } from './az.ts'
import { de } from './de.ts'
import { en } from './en.ts'
import { es } from './es.ts'
import { fr } from './fr.ts'
import { ru } from './ru.ts'
import { uk } from './uk.ts'
import { zhHans } from './zh-hans.ts'
import { zhHant } from './zh-hant.ts'

export const CATALOGUES: readonly Catalogue[] = [fr, en, de, es, ar, ru, uk, az, zhHans, zhHant]

/** Their tags, as `Pages.render` and `momentPage` know them. */
export const LANGUAGES: readonly string[] = CATALOGUES.map(({ tag }) => tag)
