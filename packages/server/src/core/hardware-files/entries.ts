import { cleanText, codePoints } from '@countersign/protocol/text.ts'
import type { Digits } from '../oath.ts'
import { unusableFile } from '../text-files.ts'

/** A hardware token as a file describes it, every value checked. */
export interface HardwareFileToken {
  serialNumber: string
  alias?: string
  type: 'TOTP6' | 'TOTP8'
  /** seconds */
  timeStep: 30 | 60
  /** 10 to 64 bytes */
  seed: Uint8Array
  /** where it stands in the file, from 1 */
  line: number
}

/** A token that is not imported, and why, in a sentence that holds nothing secret. */
export interface RefusedToken {
  line: number
  serialNumber?: string
  problem: string
}

export interface HardwareFile {
  tokens: HardwareFileToken[]
  refused: RefusedToken[]
}

/** One token of a file, whatever the format. Both functions throw a TokenProblem when it cannot be imported. */
export interface Entry {
  line: number
  serialNumber(): string
  read(): { alias: string; digits: Digits; timeStep: 30 | 60; seed: Uint8Array }
}

/** Why one token of a file is refused; those around it are not affected. No Error: the stacks of 100,000 take seconds. */
export class TokenProblem {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

/** Work that stops now and then, so that whoever goes on with it may let others have a turn. */
export type InParts<T> = Generator<void, T>

const entriesPerPart = 200

/** Throws when a file has more tokens than are read at once; importing them would hold the server up. */
export function checkCount(count: number, max: number): void {
  if (count > max) throw unusableFile(`The file has more than ${max} tokens. Split it.`)
}

/** Reads every entry by itself. Of two with one serial number the second is refused: they cannot both be that token. */
export function* readEntries(entries: Entry[]): InParts<HardwareFile> {
  const file: HardwareFile = { tokens: [], refused: [] }
  const lines = new Map<string, number>()
  for (const [index, entry] of entries.entries()) {
    if (index % entriesPerPart === 0) yield
    const about: Omit<RefusedToken, 'problem'> = { line: entry.line }
    try {
      about.serialNumber = checkSerialNumber(entry.serialNumber())
      file.tokens.push(readEntry(entry, about.serialNumber, lines))
    } catch (error) {
      if (!(error instanceof TokenProblem)) throw error
      file.refused.push({ ...about, problem: error.message })
    }
  }
  return file
}

/** An empty text is the default of RFC 4226 and of LoginTC: six digits. */
export function readDigits(text: string): Digits {
  if (text === '' || text === '6') return 6
  if (text === '8') return 8
  throw new TokenProblem(`The token’s codes have ${shortOf(text)} digits; only 6 and 8 are supported.`)
}

/** An empty text is the default of RFC 6238: 30 seconds. */
export function readTimeStep(text: string): 30 | 60 {
  const [, seconds] = text.match(/^([0-9]{1,9}) ?(?:s|sec|seconds)?$/i) ?? []
  if (text === '' || seconds === '30') return 30
  if (seconds === '60') return 60
  throw new TokenProblem(`The token’s time step is ${shortOf(text)}; only 30 and 60 seconds are supported.`)
}

/** For counter-based tokens, in every format. */
export function counterBased(): TokenProblem {
  return new TokenProblem('The token is counter-based (HOTP); only time-based tokens (TOTP) can be imported.')
}

/** A value that should be one of a few words, fit to be shown; not where it is so long that it could be a seed. */
export function shortOf(text: string): string {
  return text.length > 15 ? 'something long' : quoted(text)
}

/** What a file says, fit to be shown: without what a terminal would obey, and not long. */
export function quoted(text: string): string {
  const printable = text.replace(/[\p{C}\p{Z}]+/gu, ' ')
  return `“${printable.length > 80 ? `${printable.slice(0, 80)}…` : printable}”`
}

function readEntry(entry: Entry, serialNumber: string, lines: Map<string, number>): HardwareFileToken {
  const { line } = entry
  const earlier = lines.get(serialNumber)
  if (earlier !== undefined) throw new TokenProblem(`The serial number stands already in line ${earlier}.`)
  lines.set(serialNumber, line)
  const { alias: text, digits, timeStep, seed } = entry.read()
  const alias = readAlias(text)
  checkSeed(seed)
  const type = digits === 8 ? 'TOTP8' : 'TOTP6'
  return { serialNumber, ...(alias === '' ? {} : { alias }), type, timeStep, seed, line }
}

function checkSerialNumber(text: string): string {
  if (text === '') throw new TokenProblem('There is no serial number.')
  if (!/^[!-~](?:[ -~]{0,62}[!-~])?$/.test(text)) {
    throw new TokenProblem('A serial number has 1 to 64 printable ASCII characters.')
  }
  if (/^[0-9][.,]?[0-9]*E\+[0-9]+$/i.test(text)) {
    throw new TokenProblem(
      `The serial number ${quoted(text)} was rounded by a spreadsheet: use the file as it was sent.`,
    )
  }
  return text
}

function readAlias(text: string): string {
  const alias = cleanText(text).trim()
  if (codePoints(alias) > 64) throw new TokenProblem('An alias has at most 64 characters.')
  return alias
}

function checkSeed(seed: Uint8Array): void {
  // RFC 4226 asks for 128 bits; there are tokens with 80, and whoever has one cannot change it.
  if (seed.length < 10 || seed.length > 64) {
    throw new TokenProblem(`The seed has ${seed.length} bytes; a seed has 10 to 64.`)
  }
}
