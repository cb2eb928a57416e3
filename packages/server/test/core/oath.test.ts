import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { it } from 'node:test'
import fc from 'fast-check'
import { type Digits, matchingSteps, oathCode, readCode, stepAt } from '../../src/core/oath.ts'

const rfcSeed = new Uint8Array(Buffer.from('12345678901234567890', 'ascii'))

// RFC 4226, appendix D: counter 0 to 9.
const rfc4226 = '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489'.split(' ')

// RFC 6238, appendix B, the rows of SHA-1: seconds, T in hexadecimal, code.
const rfc6238: [number, string, string][] = [
  [59, '0000000000000001', '94287082'],
  [1111111109, '00000000023523EC', '07081804'],
  [1111111111, '00000000023523ED', '14050471'],
  [1234567890, '000000000273EF07', '89005924'],
  [2000000000, '0000000003F940AA', '69279037'],
  [20000000000, '0000000027BC86AA', '65353130'],
]

const seeds = fc.uint8Array({ minLength: 10, maxLength: 64 })
const allDigits = fc.constantFrom<Digits>(6, 8)
const steps = fc.nat({ max: 2 ** 40 })

it('the codes of RFC 4226, appendix D, are reproduced', () => {
  for (const [step, code] of rfc4226.entries()) assert.equal(oathCode({ seed: rfcSeed, step, digits: 6 }), code)
})

it('the steps and codes of RFC 6238, appendix B, are reproduced', () => {
  for (const [seconds, hex, code] of rfc6238) {
    const step = stepAt(seconds * 1000, 30)
    assert.equal(step, Number.parseInt(hex, 16))
    assert.equal(oathCode({ seed: rfcSeed, step, digits: 8 }), code)
  }
})

it('a step begins on its second and lasts until the last millisecond before the next', () => {
  for (const timeStep of [30, 60]) {
    assert.equal(stepAt(0, timeStep), 0)
    assert.equal(stepAt(timeStep * 1000 - 1, timeStep), 0)
    assert.equal(stepAt(timeStep * 1000, timeStep), 1)
  }
})

it('any seed, step and length gives what the RFC’s own text describes', () => {
  const property = fc.property(seeds, steps, allDigits, (seed, step, digits) => {
    assert.equal(oathCode({ seed, step, digits }), byTheLetter(seed, step, digits))
  })
  fc.assert(property, { numRuns: 2_000 })
})

it('a seed that is a part of a larger buffer is taken alone', () => {
  const larger = Buffer.from(`x12345678901234567890x`, 'ascii')
  assert.equal(oathCode({ seed: larger.subarray(1, 21), step: 0, digits: 6 }), rfc4226[0])
})

it('a code is found at every step that has it, the ends of the window included, and at no other', () => {
  const property = fc.property(seeds, steps, fc.nat(20), allDigits, (seed, from, width, digits) => {
    const to = from + width
    const window = Array.from({ length: width + 1 }, (_, index) => from + index)
    const codes = window.map((step) => oathCode({ seed, step, digits }))
    for (const [index, step] of window.entries()) {
      const code = oathCode({ seed, step, digits })
      const expected = window.filter((_, other) => codes[other] === codes[index])
      assert.deepEqual(matchingSteps({ seed, digits, code, from, to }), expected)
    }
    const outside = oathCode({ seed, step: to + 1, digits })
    if (!codes.includes(outside)) assert.deepEqual(matchingSteps({ seed, digits, code: outside, from, to }), [])
  })
  fc.assert(property, { numRuns: 100 })
})

it('a code that two steps share is reported at both', () => {
  const [first, second] = collision()
  const search = { seed: rfcSeed, digits: 6, code: oathCode({ seed: rfcSeed, step: first, digits: 6 }) } as const
  assert.deepEqual(matchingSteps({ ...search, from: first, to: second }), [first, second])
})

it('an empty window, one before the epoch and a code of another length match nothing', () => {
  const search = { seed: rfcSeed, digits: 6, code: '755224' } as const
  assert.deepEqual(matchingSteps({ ...search, from: 1, to: 0 }), [])
  const code = oathCode({ seed: rfcSeed, step: -1, digits: 6 })
  assert.deepEqual(matchingSteps({ ...search, code, from: -5, to: -1 }), [])
  assert.deepEqual(matchingSteps({ ...search, from: -5, to: 0 }), [0])
  for (const code of ['', '75522', '7552240', '755224 ']) {
    assert.deepEqual(matchingSteps({ ...search, code, from: 0, to: 9 }), [], code)
  }
})

it('A19: only plain digits of the right number are a code, and no other spelling of them', () => {
  assert.equal(readCode('012345', 6), '012345')
  assert.equal(readCode('01234567', 8), '01234567')
  const others = [' 123456', '123456 ', '123 456', '12345 ', '\t12345', '12345\n', '123456\n', '123456\r\n', '+12345']
  others.push(
    '+123456',
    '-12345',
    '12345',
    '1234567',
    '12345678',
    '',
    '１２３４５６',
    '１２３４５',
    '12345６',
    '٠١٢٣٤٥',
  )
  others.push('𝟏𝟐𝟑𝟒𝟓𝟔', '𝟏𝟐𝟑', '1e1000', '0x1234', '12.345', '12345\0', '\u200b12345', '\ufeff123456', 'abcdef')
  for (const text of others) assert.equal(readCode(text, 6), undefined, JSON.stringify(text))
  assert.equal(readCode('123456', 8), undefined)
})

it('A19: whatever is read as a code is unchanged and has exactly its digits', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary', maxLength: 9 }), fc.stringMatching(/^\s?[0-9]{5,9}\s?$/))
  const property = fc.property(texts, allDigits, (text, digits) => {
    const isCode = [...text].length === digits && [...text].every((character) => '0123456789'.includes(character))
    assert.equal(readCode(text, digits), isCode ? text : undefined)
  })
  fc.assert(property, { numRuns: 500 })
})

/** RFC 4226, section 5.3 and 5.4, word by word. */
function byTheLetter(seed: Uint8Array, step: number, digits: Digits): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const hash = createHmac('sha1', seed).update(counter).digest()
  const truncated = hash.readUInt32BE(hash.readUInt8(19) & 0xf) & 0x7fffffff
  return String(truncated % 10 ** digits).padStart(digits, '0')
}

/** The first two steps of the RFC's seed with the same six digits; they are less than 10,000 apart. */
function collision(): [number, number] {
  const seen = new Map<string, number>()
  for (let step = 0; ; step++) {
    const code = oathCode({ seed: rfcSeed, step, digits: 6 })
    const earlier = seen.get(code)
    if (earlier !== undefined) return [earlier, step]
    seen.set(code, step)
  }
}
