/** Digits and lower-case letters without i, l, o and u: 32 characters that survive being read aloud (Crockford). */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const lookalikes: Record<string, string> = { o: '0', i: '1', l: '1' }

/** How many random bytes an activation code is made of; its low 50 bits are used. */
export const activationCodeBytes = 7

/** The ten characters of a code from 7 random bytes: the low 50 bits, most significant group of five first. */
export function encodeActivationCode(random: Uint8Array): string {
  let bits = 0n
  for (const byte of random) bits = (bits << 8n) | BigInt(byte)
  let code = ''
  for (let group = 9n; group >= 0n; group--) code += alphabet[Number((bits >> (group * 5n)) & 31n)]
  return code
}

/** What was typed, as a code: any case, spaces and dashes ignored, o read as 0, i and l as 1. Undefined if it is no code. */
export function readActivationCode(typed: string): string | undefined {
  const code = typed
    .toLowerCase()
    .replace(/[\s-]/g, '')
    .replace(/[oil]/g, (letter) => lookalikes[letter] ?? letter)
  return code.length === 10 && [...code].every((character) => alphabet.includes(character)) ? code : undefined
}
