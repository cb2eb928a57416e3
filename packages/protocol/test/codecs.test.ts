import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { suite, test } from 'node:test'
import { activationCodeBytes, encodeActivationCode, readActivationCode } from '@countersign/protocol/activation-code.ts'
import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import fc from 'fast-check'
import { fromHex, readVectors } from './vectors.ts'

interface CodeVectors {
  encode: { random_hex: string; code: string }[]
  read: { typed: string; code: string | null }[]
  index: { key_hex: string; code: string; index: string }
}

const codes = readVectors<CodeVectors>('activation-code')
const texts = readVectors<{ cases: { note: string; text: string; clean: string }[] }>('text').cases
const anyBytes = fc.uint8Array({ maxLength: 200 })
const anyText = fc.string({ unit: 'binary', maxLength: 60 })

suite('base64url', () => {
  test('bytes come back, and Node agrees on their spelling', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        assert.equal(toBase64url(bytes), Buffer.from(bytes).toString('base64url'))
        assert.deepEqual(fromBase64url(toBase64url(bytes)), new Uint8Array(bytes))
      }),
    )
  })
  test('a text is refused or is the one spelling of its bytes', () => {
    const near = fc.string({ unit: fc.constantFrom(...'AQgwZz09-_+/= \n'), maxLength: 12 })
    fc.assert(
      fc.property(fc.oneof(near, anyText), (text) => {
        const bytes = fromBase64url(text)
        return bytes === undefined || toBase64url(bytes) === text
      }),
      { numRuns: 2000 },
    )
  })
  for (const text of ['AA==', 'AA=', 'AB', 'A', 'AAAAA', 'AA\n', ' AA', 'A+', 'A/', 'A\u00e9', 'AAB', 'A.A'])
    test(`${JSON.stringify(text)} is refused`, () => assert.equal(fromBase64url(text), undefined))
  test('the empty text is no bytes', () => assert.deepEqual(fromBase64url(''), new Uint8Array()))
})

suite('activation codes (docs/specs/vectors/activation-code.json)', () => {
  for (const { random_hex, code } of codes.encode)
    test(`${random_hex} is ${code}`, () => assert.equal(encodeActivationCode(fromHex(random_hex)), code))
  for (const { typed, code } of codes.read)
    test(`${JSON.stringify(typed)} is read as ${code}`, () => assert.equal(readActivationCode(typed) ?? null, code))
  test('the keyed index', () => {
    const { key_hex, code, index } = codes.index
    assert.equal(createHmac('sha256', fromHex(key_hex)).update(`dp1/code\n${code}`).digest('base64url'), index)
    assert.equal(index, 'ZjrMX4-mDSpWTiXyJu4J0xDFaiZ9KLONRciZMxvvL8c')
  })
  test('a code is read back however it is spelled, and is made of the low 50 bits', () => {
    const bytes = fc.uint8Array({ minLength: activationCodeBytes, maxLength: activationCodeBytes })
    const spelling = fc.func(fc.constantFrom('', ' ', '-', ' - '))
    fc.assert(
      fc.property(bytes, spelling, fc.boolean(), (random, gap, shout) => {
        const code = encodeActivationCode(random)
        const typed = [...code].map((letter, index) => gap(index) + letter).join('')
        assert.match(code, /^[0-9a-hjkmnp-tv-z]{10}$/)
        assert.equal(readActivationCode(shout ? typed.toUpperCase() : typed), code)
        assert.equal(encodeActivationCode(random.with(0, (random[0] ?? 0) ^ 0xfc)), code)
        assert.notEqual(encodeActivationCode(random.with(6, (random[6] ?? 0) ^ 1)), code)
      }),
    )
  })
  test('any text is read as a code or refused', () => {
    fc.assert(
      fc.property(anyText, (typed) => {
        const code = readActivationCode(typed)
        return code === undefined || readActivationCode(code) === code
      }),
    )
  })
})

suite('text (docs/specs/vectors/text.json)', () => {
  for (const { note, text, clean } of texts) test(note, () => assert.equal(cleanText(text), clean))
  test('cleaning twice changes nothing more, and nothing deceptive is left', () => {
    const deceptive = fc.constantFrom(...'\0\x1b\x7f\x85\u061c\u180e\u200b\u200d\u202e\u2066\ufeff\ufffa', '\u{e0041}')
    const mixed = fc.string({
      unit: fc.oneof(deceptive, fc.constantFrom('e', '\u0301', '\u1100', '\u1161'), anyText),
      maxLength: 20,
    })
    fc.assert(
      fc.property(mixed, (text) => {
        const clean = cleanText(text)
        assert.equal(cleanText(clean), clean)
        assert.equal(clean, clean.normalize('NFC'))
        assert.doesNotMatch(
          clean,
          /[\p{Cc}\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/u,
        )
      }),
      { numRuns: 2000 },
    )
  })
  test('limits count code points', () => {
    assert.equal(codePoints('Zo\u00eb \u{1f511}'), 5)
    fc.assert(fc.property(anyText, (text) => codePoints(text) === [...text].length))
  })
})
