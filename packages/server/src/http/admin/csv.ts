/** A line of a CSV file (RFC 4180). A spreadsheet that opens it must not take a cell for a formula: such a one gets an apostrophe. */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map(cellOf).join(',')}\r\n`
}

function cellOf(value: string | number | null): string {
  const text = String(value ?? '')
  // What spreadsheets begin a formula with; they skip white space before it.
  const harmless = typeof value === 'string' && /^\s*[=+\-@]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
