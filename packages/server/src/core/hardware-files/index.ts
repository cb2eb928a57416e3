import { decodeFile, unusableFile } from '../text-files.ts'
import { readCsv } from './csv.ts'
import { type HardwareFile, type InParts, readEntries } from './entries.ts'
import { type PskcOptions, readPskc } from './pskc.ts'
import { type PskcKeys, wrongMac } from './pskc-encryption.ts'

export type { HardwareFile, HardwareFileToken, RefusedToken } from './entries.ts'
export type { PskcKeys } from './pskc-encryption.ts'

/**
 * `logintc`: a serial number and a hexadecimal seed in each line. `oath`: CSV whose header says which column is what. `pskc`:
 * RFC 6030. `auto` finds out.
 */
export type HardwareFileFormat = 'auto' | 'logintc' | 'oath' | 'pskc'

/** What a file is read as, and how many tokens it may have. */
export type HardwareFileOptions = PskcKeys & { format?: HardwareFileFormat; tokensMax?: number }

const tokensMaxOfCommand = 100_000

/**
 * The tokens of a file from their manufacturer. What is wrong with one token refuses that token only. A file that cannot be
 * used at all, for a wrong password among other reasons, throws `api.error.badrequest` with a sentence to show.
 */
export function readHardwareFile(bytes: Uint8Array, options: HardwareFileOptions = {}): HardwareFile {
  const parts = readInParts(bytes, options)
  for (;;) {
    const { done, value } = parts.next()
    if (done) return value
  }
}

/** The same beside other work on this thread, which has a turn every few milliseconds. */
export async function readHardwareFileBeside(
  bytes: Uint8Array,
  options: HardwareFileOptions = {},
): Promise<HardwareFile> {
  const parts = readInParts(bytes, options)
  for (;;) {
    const { done, value } = parts.next()
    if (done) return value
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function* readInParts(
  bytes: Uint8Array,
  { format = 'auto', tokensMax = tokensMaxOfCommand, ...keys }: HardwareFileOptions,
): InParts<HardwareFile> {
  const text = decodeFile(bytes)
  const isXml = text.trimStart().startsWith('<')
  if (format === 'pskc' && !isXml) throw unusableFile('The file is not PSKC (RFC 6030), which is XML.')
  if (format === 'pskc' || (format === 'auto' && isXml)) return yield* readPskcFile(text, { tokensMax, ...keys })
  if (keys.password !== undefined || keys.preSharedKey !== undefined) {
    throw unusableFile('A password or key was given, but the file is not encrypted: only PSKC files can be.')
  }
  return yield* readEntries(readCsv(text, format, tokensMax))
}

function* readPskcFile(text: string, options: PskcOptions): InParts<HardwareFile> {
  const file = yield* readEntries(yield* readPskc(text, options))
  const isKeyWrong = file.tokens.length === 0 && file.refused.every(({ problem }) => problem === wrongMac)
  if (isKeyWrong) throw unusableFile(wrongMac)
  return file
}
