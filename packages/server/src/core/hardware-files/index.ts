import { decodeFile, unusableFile } from '../text-files.ts'
import { readCsv } from './csv.ts'
import { type HardwareFile, readEntries } from './entries.ts'
import { readPskc } from './pskc.ts'
import { type PskcKeys, wrongMac } from './pskc-encryption.ts'

export type { HardwareFile, HardwareFileToken, RefusedToken } from './entries.ts'
export type { PskcKeys } from './pskc-encryption.ts'

/**
 * `logintc`: a serial number and a hexadecimal seed in each line. `oath`: CSV whose header says which column is what. `pskc`:
 * RFC 6030. `auto` finds out.
 */
export type HardwareFileFormat = 'auto' | 'logintc' | 'oath' | 'pskc'

/**
 * The tokens of a file from their manufacturer. What is wrong with one token refuses that token only. A file that cannot be
 * used at all, for a wrong password among other reasons, throws `api.error.badrequest` with a sentence to show.
 */
export function readHardwareFile(
  bytes: Uint8Array,
  { format = 'auto', ...keys }: PskcKeys & { format?: HardwareFileFormat } = {},
): HardwareFile {
  const text = decodeFile(bytes)
  const isXml = text.trimStart().startsWith('<')
  if (format === 'pskc' && !isXml) throw unusableFile('The file is not PSKC (RFC 6030), which is XML.')
  if (format === 'pskc' || (format === 'auto' && isXml)) return readPskcFile(text, keys)
  if (keys.password !== undefined || keys.preSharedKey !== undefined) {
    throw unusableFile('A password or key was given, but the file is not encrypted: only PSKC files can be.')
  }
  return readEntries(readCsv(text, format))
}

function readPskcFile(text: string, keys: PskcKeys): HardwareFile {
  const file = readEntries(readPskc(text, keys))
  const isKeyWrong = file.tokens.length === 0 && file.refused.every(({ problem }) => problem === wrongMac)
  if (isKeyWrong) throw unusableFile(wrongMac)
  return file
}
