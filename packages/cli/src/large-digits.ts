// Three columns and five rows a digit, a bit each, row after row.
const shapes = [
  '111101101101111',
  '010110010010111',
  '111001111100111',
  '111001111001111',
  '101101111001001',
  '111100111001111',
  '111100111101111',
  '111001001001001',
  '111101111101111',
  '111101111001111',
]
const rows = [0, 1, 2, 3, 4]

/** A number as five lines of blocks, legible from the other side of a desk. */
export function largeDigits(number: string): string[] {
  const digits = [...number].map((digit) => shapes[Number(digit)] ?? '')
  return rows.map((row) => digits.map((shape) => blocks(shape.slice(row * 3, row * 3 + 3))).join('  '))
}

function blocks(bits: string): string {
  return [...bits].map((bit) => (bit === '1' ? '██' : '  ')).join('')
}
