import { Secret } from 'otpauth'
import type { Digits } from '../oath.ts'
import { type CsvRow, csvRows, unusableFile } from '../text-files.ts'
import { checkCount, counterBased, type Entry, readDigits, readTimeStep, shortOf, TokenProblem } from './entries.ts'

type Field = 'serial' | 'seed' | 'kind' | 'digits' | 'timeStep' | 'alias'
type Encoding = 'hex' | 'base32'

/** Which column, from 0, is what. A kind may stand in several: "type" and "algorithm". */
interface Columns {
  count: number
  at: Record<Field, number[]>
  /** where the header says so */
  encoding?: Encoding
}

// What manufacturers and other servers call the columns, in small letters and without anything but letters and digits.
// Microsoft Entra's file has "upn,serial number,secret key,time interval,manufacturer,model".
const names: Record<Field, RegExp> = {
  serial: /^(?:token|device|hardware)?(?:serial(?:number|no|nr|num)?|sn)$/,
  seed: /^(?:token|oath|otp|shared)?(?:seed|secret|secretkey|seedkey|key|seeddata)$/,
  kind: /^(?:(?:token|oath|otp|key|hash|hmac)?(?:type|algorithm|algo|mode)|hash|hmac)$/,
  digits: /^(?:(?:otp|code|passcode|token)?(?:digits|length)|numberofdigits|(?:otp|code)?digitcount)$/,
  timeStep: /^(?:time|refresh|otp|totp|token)?(?:interval|step|period)(?:s|sec|secs|seconds|ins|inseconds)?$/,
  alias: /^(?:token)?(?:alias|name|label|description|friendlyname|displayname)$/,
}

/**
 * The tokens of a CSV file: columns by their header, or, without one, LoginTC's `serial,hexseed`. What no column says is as
 * LoginTC has it: six digits, 30 seconds.
 */
export function readCsv(text: string, format: 'auto' | 'logintc' | 'oath', tokensMax: number): Entry[] {
  const rows = csvRows(text, tokensMax + 2) // with a header, and one too many
  const [first, ...others] = rows
  if (!first) throw unusableFile('The file is empty.')
  const columns = columnsOf(first.cells)
  checkCount(columns ? others.length : rows.length, tokensMax)
  if (columns) return others.map((row) => entryOf(row, format === 'logintc' ? plain : columns))
  if (format === 'oath') throw unusableFile(noHeader)
  if (format === 'auto' && first.cells.length !== plain.count) {
    throw unusableFile(`${noHeader} Without a header each line is a serial number, a comma and a hexadecimal seed.`)
  }
  return rows.map((row) => entryOf(row, plain))
}

const noHeader = 'The first line is no header that names a serial number and a seed (secret key).'
const plain: Columns = { count: 2, at: { ...noColumns(), serial: [0], seed: [1] }, encoding: 'hex' }

/** Undefined when the line is no header. */
function columnsOf(cells: string[]): Columns | undefined {
  const at = noColumns()
  let encoding: Encoding | undefined
  for (const [index, cell] of cells.entries()) {
    const [name, stated] = nameOf(cell)
    const field = fields.find((candidate) => names[candidate].test(name))
    if (field) at[field].push(index)
    if (field === 'seed') encoding = stated
  }
  if (at.serial.length === 0 && at.seed.length === 0) return
  checkHeader(at)
  return { count: cells.length, at, ...(encoding && { encoding }) }
}

const fields: Field[] = ['serial', 'seed', 'kind', 'digits', 'timeStep', 'alias']

function noColumns(): Record<Field, number[]> {
  return { serial: [], seed: [], kind: [], digits: [], timeStep: [], alias: [] }
}

/** `Secret Key (Base32)` is the secret key, in base32. */
function nameOf(cell: string): [name: string, encoding?: Encoding] {
  const name = cell.toLowerCase().replace(/[^a-z0-9]/g, '')
  const bare = name.replace(/hexadecimal|hex|base32|b32|encoded/g, '')
  if (bare === name) return [name]
  return [bare === '' ? 'seed' : bare, name.includes('hex') ? 'hex' : 'base32']
}

function checkHeader(at: Record<Field, number[]>): void {
  if (at.serial.length === 0) throw unusableFile('The header names no column with the serial number.')
  if (at.seed.length === 0) throw unusableFile('The header names no column with the seed (secret key).')
  const twice = fields.find((field) => field !== 'kind' && at[field].length > 1)
  if (twice) throw unusableFile(`The header names two columns with the same thing (${twice}).`)
}

function entryOf(row: CsvRow, columns: Columns): Entry {
  const cell = (field: Field) => row.cells[columns.at[field][0] ?? -1] ?? ''
  return {
    line: row.line,
    serialNumber: () => cell('serial'),
    read() {
      if (row.cells.length !== columns.count) {
        throw new TokenProblem(`The line has ${row.cells.length} columns, not ${columns.count}.`)
      }
      const kinds = columns.at.kind.map((index) => row.cells[index] ?? '')
      const digits = digitsOf([...kinds.map(readKind), cell('digits')])
      const timeStep = readTimeStep(cell('timeStep'))
      return { alias: cell('alias'), digits, timeStep, seed: readSeed(cell('seed'), columns.encoding) }
    },
  }
}

function digitsOf(texts: string[]): Digits {
  const stated = [...new Set(texts.filter((text) => text !== ''))]
  if (stated.length > 1)
    throw new TokenProblem(`The line names two numbers of digits: ${stated.map(shortOf).join(', ')}.`)
  return readDigits(stated[0] ?? '')
}

/** Refuses all but TOTP with SHA-1; returns the digits where the kind has them (`TOTP8`). */
function readKind(text: string): string {
  const kind = text.toLowerCase().replace(/[^a-z0-9]/g, '')
  const [isSupported, digits = ''] = kind.match(/^(?:oath)?(?:totp|time|timebased)?([68])?(?:hmac)?(?:sha1)?$/) ?? []
  if (isSupported !== undefined) return digits
  if (/hotp|event|counter/.test(kind)) throw counterBased()
  if (/sha\d/.test(kind))
    throw new TokenProblem(`The token’s codes are made by ${shortOf(text)}; only SHA-1 is supported.`)
  throw new TokenProblem(`The token’s type is ${shortOf(text)}; only TOTP is supported.`)
}

/** Hexadecimal where it can be that: random base32 looks like it less than once in a million. */
function readSeed(text: string, encoding?: Encoding): Uint8Array {
  if (text === '') throw new TokenProblem('There is no seed.')
  const isHex = /^(?:[0-9a-f]{2})+$/i.test(text)
  if (isHex && encoding !== 'base32') return new Uint8Array(Buffer.from(text, 'hex'))
  if (encoding === 'hex') throw new TokenProblem('The seed is not hexadecimal.')
  const bytes = base32(text)
  if (bytes) return bytes
  throw new TokenProblem(
    encoding === 'base32' ? 'The seed is not base32.' : 'The seed is neither hexadecimal nor base32.',
  )
}

function base32(text: string): Uint8Array | undefined {
  const letters = text.replace(/={1,6}$/, '').toUpperCase()
  if (!/^[A-Z2-7]+$/.test(letters)) return
  const { bytes, base32: again } = Secret.fromBase32(letters)
  // The library ignores bits that are left over; a seed that has some was cut.
  return again === letters ? bytes : undefined
}
