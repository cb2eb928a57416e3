import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type HardwareFileFormat, readHardwareFile } from '../../src/core/hardware-files/index.ts'
import { container, keyPackage } from '../support/pskc-files.ts'

const seed = '12345678901234567890'
const hex = Buffer.from(seed).toString('hex')
const base32 = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'

const read = (text: string) => readHardwareFile(Buffer.from(text))

/** Serial number, type, time step and seed of each, in short. */
function tokensOf(text: string): unknown[] {
  const { tokens, refused } = read(text)
  assert.deepEqual(refused, [])
  return tokens.map((token) => [token.serialNumber, token.type, token.timeStep, Buffer.from(token.seed).toString()])
}

it('LoginTC’s file is a serial number and a hexadecimal seed in each line: six digits, 30 seconds', () => {
  const { tokens, refused } = read(`HW-1,${hex}\nHW-2,${hex.toUpperCase()}\n`)
  assert.deepEqual(refused, [])
  const rest = { type: 'TOTP6', timeStep: 30, seed: new Uint8Array(Buffer.from(seed)) }
  assert.deepEqual(tokens, [
    { serialNumber: 'HW-1', ...rest, line: 1 },
    { serialNumber: 'HW-2', ...rest, line: 2 },
  ])
})

it('a byte order mark, a header, other line ends, quotes, blanks and empty lines change nothing', () => {
  const plain = `HW-1,${hex}\nHW-2,${hex}`
  const expected = tokensOf(plain)
  const header = 'serial,hexseed\n'
  const same = [header + plain, `Serial Number,"Hex Seed"\n${plain}`, `SERIAL_NO,SEED (HEX)\n${plain}`]
  same.push(
    `${plain}\n\n\n`,
    plain.replace('\n', '\n\n  \n'),
    plain.replace(/[^,\n]+/g, '"$&"'),
    plain.replaceAll(',', ' , '),
  )
  same.push(plain.replaceAll(',', ';'), plain.replaceAll(',', '\t'), `\n${plain}`)
  for (const text of same.flatMap((text) => [
    text,
    `\ufeff${text}`,
    text.replaceAll('\n', '\r\n'),
    text.replaceAll('\n', '\r'),
  ])) {
    assert.deepEqual(tokensOf(text), expected, JSON.stringify(text))
  }
})

it('Microsoft Entra’s file is read, with its base32 seeds', () => {
  const header = 'upn,serial number,secret key,time interval,manufacturer,model'
  const alice = `alice@acme.example,1234567,${base32},60,Contoso,HardwareKey`
  const text = `${header}\n${alice}\nbob@acme.example,8,${base32.toLowerCase()},30,,\n`
  assert.deepEqual(tokensOf(text), [
    ['1234567', 'TOTP6', 60, seed],
    ['8', 'TOTP6', 30, seed],
  ])
})

it('columns are found by their names, in any order and spelling', () => {
  const headers: [string, string][] = [
    ['Serial Number,Seed,Type,Digits,Time Step', `9,${hex},TOTP,8,60`],
    ['Token Serial;Secret Key (Base32);OTP Length;Period;Algorithm', `9;${base32};8;60;SHA1`],
    ['period,digits,secret,serial', `60s,8,${hex},9`],
    ['SerialNo,Hash Algorithm,Token Type,Key,Time Interval (s)', `9,HMAC-SHA-1,TOTP8,${hex},60`],
    ['sn,oath type,hexkey,code digits,interval in seconds', `9,OATH-TOTP,${hex},8,60 s`],
    ['serial number,manufacturer,type,seed,timestep,digits', `9,"Acme, Inc.",time-based,${base32},60 seconds,8`],
  ]
  for (const [header, line] of headers)
    assert.deepEqual(tokensOf(`${header}\n${line}`), [['9', 'TOTP8', 60, seed]], header)
})

it('an alias is taken from its column, without what cannot be seen, and left out where there is none', () => {
  const { tokens } = read(`serial,alias,seed\n1,Alice’s \u202etoken,${hex}\n2,,${hex}\n`)
  assert.deepEqual(
    tokens.map((token) => token.alias),
    ['Alice’s token', undefined],
  )
})

it('each token that cannot be imported is refused with its line and a reason, and the others are not', () => {
  const header = 'serial,seed,type,algorithm,digits,period,alias'
  const rows: [row: string, problem: string][] = [
    [`1,${hex},HOTP,,6,,`, 'The token is counter-based (HOTP); only time-based tokens (TOTP) can be imported.'],
    [`1,${hex},event-based,,6,,`, 'The token is counter-based (HOTP); only time-based tokens (TOTP) can be imported.'],
    [`1,${hex},TOTP,SHA256,6,30,`, 'The token’s codes are made by “SHA256”; only SHA-1 is supported.'],
    [`1,${hex},TOTP,HMAC-SHA-512,6,30,`, 'The token’s codes are made by “HMAC-SHA-512”; only SHA-1 is supported.'],
    [`1,${hex},OCRA,,6,30,`, 'The token’s type is “OCRA”; only TOTP is supported.'],
    [`1,${hex},TOTP,,7,30,`, 'The token’s codes have “7” digits; only 6 and 8 are supported.'],
    [`1,${hex},TOTP,,06,30,`, 'The token’s codes have “06” digits; only 6 and 8 are supported.'],
    [`1,${hex},TOTP6,,8,30,`, 'The line names two numbers of digits: “6”, “8”.'],
    [`1,${hex},TOTP,,6,90,`, 'The token’s time step is “90”; only 30 and 60 seconds are supported.'],
    [`1,${hex},TOTP,,6,1m,`, 'The token’s time step is “1m”; only 30 and 60 seconds are supported.'],
    ['1,,TOTP,,6,30,', 'There is no seed.'],
    [`1,${hex}0,TOTP,,6,30,`, 'The seed is neither hexadecimal nor base32.'],
    [`1,${base32}A,TOTP,,6,30,`, 'The seed is neither hexadecimal nor base32.'],
    ['1,GEZDGNBVGY3TQOJQGEZDGNBVGZ,TOTP,,6,30,', 'The seed is neither hexadecimal nor base32.'],
    ['1,3132333435363738 39,TOTP,,6,30,', 'The seed is neither hexadecimal nor base32.'],
    [`1,0x${hex},TOTP,,6,30,`, 'The seed is neither hexadecimal nor base32.'],
    [`1,${'ab'.repeat(9)},TOTP,,6,30,`, 'The seed has 9 bytes; a seed has 10 to 64.'],
    [`1,${'ab'.repeat(65)},TOTP,,6,30,`, 'The seed has 65 bytes; a seed has 10 to 64.'],
    [`1,${hex},TOTP,,6,30,${'a'.repeat(65)}`, 'An alias has at most 64 characters.'],
    [`1,${hex},TOTP,,6`, 'The line has 5 columns, not 7.'],
    [`1,${hex},TOTP,,6,30,,`, 'The line has 8 columns, not 7.'],
  ]
  for (const [row, problem] of rows) {
    const { tokens, refused } = read(`${header}\n0,${hex},,,,,\n${row}\n2,${hex},TOTP,SHA1,8,60,\n`)
    assert.deepEqual(refused, [{ line: 3, serialNumber: '1', problem }], row)
    assert.deepEqual(
      tokens.map((token) => token.serialNumber),
      ['0', '2'],
    )
  }
})

it('a serial number is 1 to 64 printable ASCII characters, as the file has it', () => {
  for (const serial of ['0', '00123', 'A B', '~', 'a'.repeat(64), '1E10']) {
    assert.equal(read(`${serial},${hex}`).tokens[0]?.serialNumber, serial)
  }
  const problems: [string, string][] = [
    ['', 'There is no serial number.'],
    ['a'.repeat(65), 'A serial number has 1 to 64 printable ASCII characters.'],
    ['sérial', 'A serial number has 1 to 64 printable ASCII characters.'],
    ['"1\n2"', 'A serial number has 1 to 64 printable ASCII characters.'],
    ['1.23457E+12', 'The serial number “1.23457E+12” was rounded by a spreadsheet: use the file as it was sent.'],
  ]
  for (const [serial, problem] of problems) {
    const [refused] = read(`0,${hex}\n${serial},${hex}`).refused
    assert.equal(refused?.problem, problem, serial)
    assert.equal(refused?.serialNumber, undefined)
  }
})

it('of two tokens with one serial number the second is refused, also when the first one was', () => {
  const duplicate = { serialNumber: '1', problem: 'The serial number stands already in line 1.' }
  assert.deepEqual(read(`1,${hex}\n01,${hex}\n1,${hex}\n`).refused, [{ line: 3, ...duplicate }])
  assert.deepEqual(read(`1,zz\n1,${hex}\n`).refused.slice(1), [{ line: 2, ...duplicate }])
})

it('a file that cannot be used is refused with a sentence that says what it should be', () => {
  const files: [string | Uint8Array, RegExp][] = [
    ['', /^The file is empty\.$/],
    ['\ufeff \r\n\t', /^The file is empty\.$/],
    [`a,b,c\n1,2,3`, /^The first line is no header/],
    [`Name,Serial\nx,1`, /^The header names no column with the seed \(secret key\)\.$/],
    [`Name,Secret\nx,${hex}`, /^The header names no column with the serial number\.$/],
    [`Serial,Serial Number,Seed\n1,2,${hex}`, /^The header names two columns with the same thing \(serial\)\.$/],
    [`1,${hex}\n2,"${hex}\n3,${hex}`, /^The file is not CSV: after line 1 a quotation mark is out of place\.$/],
    [`1,${hex}\n2,${'a'.repeat(70_000)}`, /^Line 2 of the file is longer than 64 KiB\.$/],
    [Buffer.from(`1,${hex}`, 'utf16le'), /^The file holds the character U\+0000: it is not a text file\.$/],
    [Buffer.from([0xff, 0xfe, 0x31, 0]), /^The file is not text in UTF-8\. Save it as UTF-8\.$/],
    [new Uint8Array(32 * 1024 * 1024 + 1).fill(0x20), /^The file is larger than 32 MiB\. Split it\.$/],
  ]
  for (const [file, message] of files) {
    assert.throws(() => readHardwareFile(Buffer.from(file)), { code: 'api.error.badrequest', message }, String(message))
  }
  for (const keys of [{ password: '' }, { preSharedKey: new Uint8Array(16) }]) {
    assert.throws(() => readHardwareFile(Buffer.from(`1,${hex}`), keys), {
      message: /not encrypted: only PSKC files can be\.$/,
    })
  }
})

it('no problem that is reported holds a seed, also when the columns are not what the header says', () => {
  const secret = 'ABADSECRETABADSE'
  const rows = [`1,${secret}!,,,`, `2,${secret}${secret.repeat(10)},,,`, `3,"${secret}\n",,,`, `4,${hex},${secret}`]
  for (const [index, row] of [',,', ',', ''].entries()) rows.push(`${5 + index},${hex}${row},${secret}`)
  rows.push(`9,${hex},${secret},,`, `10,${hex},,${secret},`, `11,${hex},,,${secret}`)
  const { refused } = read(`serial,seed,type,digits,period\n${rows.join('\n')}`)
  assert.equal(refused.length, rows.length)
  assert.doesNotMatch(JSON.stringify(refused), /ABADSE/)
})

it('a format that is named is the only one that is read', () => {
  const logintc = `1,${hex}`
  const oath = `serial number,secret key\n1,${base32}`
  const pskc = container([keyPackage({ serial: '1' })])
  const named = (text: string, format: HardwareFileFormat) => readHardwareFile(Buffer.from(text), { format })
  for (const [text, format] of [
    [logintc, 'logintc'],
    [oath, 'oath'],
    [pskc, 'pskc'],
  ] as const) {
    for (const choice of [format, 'auto'] as const) {
      const [token] = named(text, choice).tokens
      assert.deepEqual(token?.seed, new Uint8Array(Buffer.from(seed)))
    }
  }
  const notHex = [{ line: 2, serialNumber: '1', problem: 'The seed is not hexadecimal.' }]
  assert.deepEqual(named(oath, 'logintc').refused, notHex)
  assert.deepEqual(
    named(`serial,alias,seed\n1,x,${hex}`, 'logintc').refused[0]?.problem,
    'The line has 3 columns, not 2.',
  )
  assert.throws(() => named(logintc, 'oath'), { message: /^The first line is no header that names/ })
  assert.throws(() => named(pskc, 'oath'), { code: 'api.error.badrequest' })
  for (const text of [logintc, oath]) {
    assert.throws(() => named(text, 'pskc'), { message: 'The file is not PSKC (RFC 6030), which is XML.' })
  }
})
