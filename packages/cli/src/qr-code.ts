import { renderUnicodeCompact } from 'uqr'

const [whiteOnBlack, plain] = ['\u001b[97;40m', '\u001b[0m']

/**
 * A QR code as lines of half blocks, two rows a line, with the quiet zone that readers need. The blocks are what is light: with
 * `colours` they are white on black whatever the terminal's own colours are, else it takes a terminal that is dark.
 */
export function qrCode(text: string, { colours }: { colours: boolean }): string[] {
  const lines = renderUnicodeCompact(text, { ecc: 'L', border: 2 }).split('\n')
  return colours ? lines.map((line) => `${whiteOnBlack}${line}${plain}`) : lines
}
