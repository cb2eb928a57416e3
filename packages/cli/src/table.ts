import { visible } from './device-terminal.ts'

/** A column: the member that it shows, or its title and how a cell is made. */
export type Column<Row> = (keyof Row & string) | readonly [title: string, cell: (row: Row) => unknown]

/** Aligned columns under their titles. Lines that are wider than the terminal are cut; into a file or a pipe none is. */
export function table<Row extends object>(rows: Row[], columns: readonly Column<Row>[], width = Infinity): string[] {
  const titles = columns.map((column) => (typeof column === 'string' ? column : column[0]))
  const cells = (row: Row) => columns.map((column) => textOf(typeof column === 'string' ? row[column] : column[1](row)))
  const lines = [titles, ...rows.map(cells)]
  const widths = titles.map((_, index) => Math.max(...lines.map((line) => lengthOf(line[index] ?? ''))))
  return lines.map((line) => cut(line.map((cell, index) => padded(cell, widths[index] ?? 0)).join('  '), width))
}

/** A value as people read it: a dash for what is not there, the members of what has some. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-'
  if (Array.isArray(value)) return value.map(textOf).join(', ') || '-'
  if (typeof value === 'object') return Object.values(value).map(textOf).join(' ')
  return visible(String(value))
}

function cut(line: string, width: number): string {
  const text = line.trimEnd()
  return lengthOf(text) <= width ? text : `${[...text].slice(0, width - 1).join('')}…`
}

function padded(cell: string, width: number): string {
  return cell + ' '.repeat(width - lengthOf(cell))
}

function lengthOf(text: string): number {
  return [...text].length
}
