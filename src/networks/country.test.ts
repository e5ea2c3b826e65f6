import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCountries } from './country.ts'

test('the bundled database knows well-known addresses, and nothing of private ones', async () => {
  const { countries, fault } = await openCountries()
  assert.equal(fault, undefined)
  // RIPE NCC and LACNIC's own networks.
  assert.equal(countries.countryOf('193.0.6.139'), 'NL')
  assert.equal(countries.countryOf('2001:67c:2e8::1'), 'NL')
  for (const text of ['10.0.0.1', '::1', 'nonsense', '']) assert.equal(countries.countryOf(text), '', text)
})

test('without a readable database every country is unknown, and the reason is given', async () => {
  const { countries, fault } = await openCountries('/nonexistent.mmdb')
  assert.equal(countries.countryOf('193.0.6.139'), '')
  assert.match(fault ?? '', /countries cannot be read/)
})
