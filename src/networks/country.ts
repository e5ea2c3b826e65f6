/**
 * The country a network is registered in: shown beside findings, never a reason to refuse anybody.
 *
 * 8 MB that only the main thread reads, and only when somebody asks; edges decide without it.
 */
import { fileURLToPath } from 'node:url'
import type { Reader, Response } from 'maxmind'

type CountryRecord = Response & { readonly country_code?: string }

export interface Countries {
  /** ISO 3166-1 code in capitals; '' when not known. */
  countryOf(address: string): string
}

const NOWHERE: Countries = { countryOf: () => '' }
const BUNDLED = '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb'

/** Opens the bundled database, or `file`. Without a readable one every country is ''; `fault` says why. */
export async function openCountries(file?: string): Promise<{ countries: Countries; fault?: string }> {
  try {
    const { open } = await import('maxmind')
    const reader = await open<CountryRecord>(file ?? fileURLToPath(import.meta.resolve(BUNDLED)))
    return { countries: { countryOf: (address) => look(reader, address) } }
  } catch (error) {
    return {
      countries: NOWHERE,
      fault: `countries cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    }
  }
}

function look(reader: Reader<CountryRecord>, address: string): string {
  try {
    const record = reader.get(address) as { country_code?: string; country?: { iso_code?: string } } | null
    return record?.country_code ?? record?.country?.iso_code ?? ''
  } catch {
    // The reader throws for a text that is no address, and for damage in the file.
    return ''
  }
}
