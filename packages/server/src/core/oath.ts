import { HOTP, Secret } from 'otpauth'
import { sameSecret } from './secrets.ts'

/** How many digits a code of the token has. */
export type Digits = 6 | 8

/** The code of a step as RFC 4226 and RFC 6238 have it, with HMAC-SHA-1: what OATH hardware tokens show. */
export function oathCode({ seed, step, digits }: { seed: Uint8Array; step: number; digits: Digits }): string {
  return codeAt(secretOf(seed), step, digits)
}

/** The number of whole time steps since the Unix epoch (RFC 6238, T0 = 0). */
export function stepAt(nowMs: number, timeStepSeconds: number): number {
  return Math.floor(nowMs / 1000 / timeStepSeconds)
}

/** What a code is looked for in: the steps `from` to `to`, both included. */
export interface StepSearch {
  seed: Uint8Array
  digits: Digits
  code: string
  from: number
  to: number
}

/**
 * All steps whose code is this one, in order. Every step is computed and compared in full, so that the time taken tells
 * nothing but the number of steps. Steps before 0 do not exist.
 */
export function matchingSteps({ seed, digits, code, from, to }: StepSearch): number[] {
  const secret = secretOf(seed)
  const matching: number[] = []
  for (let step = Math.max(0, from); step <= to; step++) {
    if (sameSecret(codeAt(secret, step, digits), code)) matching.push(step)
  }
  return matching
}

/**
 * The code that was typed, or undefined when it is anything but exactly that many ASCII digits. Nothing is trimmed or
 * folded: a code that has two spellings could be used twice.
 */
export function readCode(text: string, digits: Digits): string | undefined {
  return text.length === digits && /^[0-9]+$/.test(text) ? text : undefined
}

function codeAt(secret: Secret, counter: number, digits: Digits): string {
  return HOTP.generate({ secret, counter, digits, algorithm: 'SHA1' })
}

function secretOf(seed: Uint8Array): Secret {
  // A copy: the library takes a whole ArrayBuffer, and a Buffer is often a part of a larger one.
  return new Secret({ buffer: new Uint8Array(seed).buffer })
}
