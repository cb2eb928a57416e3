import { parse } from 'csv-parse/sync'
import { ApiError } from './errors.ts'

/** A line of a CSV file, or several where a quoted cell goes on. */
export interface CsvRow {
  cells: string[]
  /** where it ends, from 1 */
  line: number
}

const fileBytesMax = 32 * 1024 * 1024
// Millions of columns would take the parser seconds.
const lineLengthMax = 64 * 1024

/** Why a file cannot be used at all: a sentence for the person who chose it. */
export function unusableFile(problem: string, cause?: unknown): ApiError {
  return new ApiError('api.error.badrequest', problem, { cause })
}

/** The text of a file, which is UTF-8 with or without a byte order mark. Throws when it is none, empty or too large. */
export function decodeFile(bytes: Uint8Array): string {
  if (bytes.length > fileBytesMax) throw unusableFile('The file is larger than 32 MiB. Split it.')
  let text: string
  try {
    // Drops a byte order mark.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw unusableFile('The file is not text in UTF-8. Save it as UTF-8.', cause)
  }
  if (text.includes('\0')) throw unusableFile('The file holds the character U+0000: it is not a text file.')
  if (text.trim() === '') throw unusableFile('The file is empty.')
  return text
}

/** The rows of a CSV file, empty lines left out; no more than so many. Commas, semicolons and tabs separate. */
export function csvRows(text: string, rowsMax: number): CsvRow[] {
  const lines = text.replace(/\r\n?/g, '\n')
  checkLineLengths(lines)
  const [first = ''] = lines.trimStart().split('\n', 1)
  const delimiter = first.includes(',') ? ',' : first.includes(';') ? ';' : '\t'
  const options = {
    delimiter,
    record_delimiter: '\n',
    skip_empty_lines: true,
    relax_column_count: true,
    trim: true,
    to: rowsMax,
  }
  const rows: CsvRow[] = []
  const on_record = (cells: string[], { lines: line }: { lines: number }) => {
    rows.push({ cells, line })
    return null
  }
  try {
    parse(lines, { ...options, on_record })
  } catch (cause) {
    const place = `after line ${rows.at(-1)?.line ?? 0}`
    throw unusableFile(`The file is not CSV: ${place} a quotation mark is out of place.`, cause)
  }
  return rows
}

function checkLineLengths(text: string): void {
  for (let start = 0, end = 0, line = 1; end < text.length; start = end + 1, line++) {
    const next = text.indexOf('\n', start)
    end = next < 0 ? text.length : next
    if (end - start > lineLengthMax) throw unusableFile(`Line ${line} of the file is longer than 64 KiB.`)
  }
}
