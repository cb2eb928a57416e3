import { toBase64url } from '@countersign/protocol/base64url.ts'
import type { App } from '../app.ts'

/** 160 random bits, as every id is: 40 lower-case hex characters. */
export function newId(app: App): string {
  return Buffer.from(app.random(20)).toString('hex')
}

/** Random bytes as base64url. */
export function newNonce(app: App, bytes: number): string {
  return toBase64url(app.random(bytes))
}

const alphanumerics = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Random letters and digits, each as likely as the others. */
export function newAlphanumeric(app: App, length: number): string {
  let text = ''
  while (text.length < length) {
    // 248 is the largest multiple of 62 in a byte: the rest would make some characters likelier.
    for (const byte of app.random(length)) if (byte < 248 && text.length < length) text += alphanumerics[byte % 62]
  }
  return text
}

/** Random decimal digits, leading zeros kept. */
export function newDigits(app: App, length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of app.random(length)) if (byte < 250 && text.length < length) text += byte % 10
  }
  return text
}
