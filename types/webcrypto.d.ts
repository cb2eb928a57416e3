// WebCrypto's names as a browser has them, without the rest of the DOM: Node's own types have the values only.
import type { webcrypto } from 'node:crypto'

declare global {
  interface CryptoKey extends webcrypto.CryptoKey {}
  interface CryptoKeyPair extends webcrypto.CryptoKeyPair {}
  interface JsonWebKey extends webcrypto.JsonWebKey {}
  type BufferSource = webcrypto.BufferSource
}
