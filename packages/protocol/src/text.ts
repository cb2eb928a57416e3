// Controls, bidirectional overrides, invisible separators and tags: what could make a person read something else than was signed.
const deceptive =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the point
  /[\u0000-\u001f\u007f-\u009f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu

/** Text as it is frozen into a challenge and shown: deceptive characters removed, NFC (device-protocol.md §7). */
export function cleanText(text: string): string {
  return text.replace(deceptive, '').normalize('NFC')
}

/** Length in code points, which is what every limit of both APIs counts. */
export function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}
