// The forms in which a server stores things (security.md), computed here once more with WebCrypto alone.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { toBase64url } from '@countersign/protocol/base64url.ts'
import { importHmacKey } from '@countersign/protocol/unlock.ts'
import { bytesOf, fromHex, readVectors } from './vectors.ts'

interface FieldVectors {
  dek_hex: string
  cases: { table: string; column: string; id: string; aad: string; text: string; field: string }[]
}

const utf8 = new TextEncoder()
const numbers = readVectors<{ key_hex: string; cases: { sid: string; number: string; mac: string }[] }>('number')
const fields = readVectors<FieldVectors>('field-encryption')

suite('matching numbers (docs/specs/vectors/number.json)', () => {
  for (const { sid, number, mac } of numbers.cases) {
    test(`${number} of session ${sid.slice(0, 4)}\u2026`, async () =>
      assert.equal(await hmac(numbers.key_hex, `dp1/num\n${sid}\n${number}`), mac))
  }
})

for (const name of ['row-mac', 'verdict-mac']) {
  const vectors = readVectors<{ key_hex: string; cases: { array: unknown[]; mac: string }[] }>(name)
  suite(`${name} (docs/specs/vectors/${name}.json)`, () => {
    for (const { array, mac } of vectors.cases)
      test(JSON.stringify(array), async () => assert.equal(await hmac(vectors.key_hex, JSON.stringify(array)), mac))
  })
}

suite('encrypted fields (docs/specs/vectors/field-encryption.json)', () => {
  for (const { table, column, id, aad, text, field } of fields.cases) {
    test(`${table}.${column} of ${id.slice(0, 4)}\u2026`, async () => {
      assert.equal(aad, `${table}|${column}|${id}|v1`)
      assert.equal(await decrypt(field, aad), text)
      for (const moved of [aad.replace(id, '0'.repeat(40)), aad.replace(column, 'other'), aad.replace(table, 'other')])
        await assert.rejects(decrypt(field, moved), { name: 'OperationError' })
    })
  }
})

async function hmac(keyHex: string, message: string): Promise<string> {
  const key = await importHmacKey(fromHex(keyHex))
  return toBase64url(new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8.encode(message))))
}

async function decrypt(field: string, aad: string): Promise<string> {
  const [, , nonce = '', sealed = ''] = field.split('.')
  const key = await crypto.subtle.importKey('raw', fromHex(fields.dek_hex), 'AES-GCM', false, ['decrypt'])
  const parameters = { name: 'AES-GCM', iv: bytesOf(nonce), additionalData: utf8.encode(aad) }
  return new TextDecoder().decode(await crypto.subtle.decrypt(parameters, key, bytesOf(sealed)))
}
