import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { testCertificate } from './certificate.ts'

/** What a test may make other than it should be. */
export interface Lies {
  challenge?: string
  origin?: string
  rpId?: string
  type?: string
  /** user present 1, user verified 4, backup eligible 8, backed up 16 */
  flags?: number
  signCount?: number
  crossOrigin?: boolean
  topOrigin?: string
  /** base64url, in the place of the right one */
  signature?: string
  id?: string
  format?: string
  statement?: Cbor
  /** the credential attests to itself (packed, without a certificate) */
  selfAttested?: boolean
  /** a certificate attests to the credential (fido-u2f) */
  certified?: boolean
  /** of the key, in the COSE numbering */
  algorithm?: number
}

type Cbor = number | string | Uint8Array | Map<number | string, Cbor> | Cbor[]

const [present, verified, withCredential] = [1, 4, 64]

/**
 * A platform authenticator in software: one credential, and an answer to whoever asks, with every part of it at the test's
 * disposal. CBOR and COSE are written here by hand, so that the server's library is not its own judge.
 */
export class SoftAuthenticator {
  readonly id = randomBytes(32)
  readonly algorithm: -7 | -257
  readonly origin: string
  readonly #key: KeyObject
  readonly #cose: Buffer
  signCount = 0

  constructor(origin: string, algorithm: -7 | -257 = -7) {
    this.origin = origin
    this.algorithm = algorithm
    const { privateKey, publicKey } =
      algorithm === -7
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.#key = privateKey
    this.#cose = coseOf(publicKey, algorithm)
  }

  /** RegistrationResponseJSON. */
  register(challenge: Uint8Array, lies: Lies = {}): Record<string, unknown> {
    const clientData = this.#clientData('webauthn.create', challenge, lies)
    const size = Buffer.alloc(2)
    size.writeUInt16BE(this.id.length)
    const cose = lies.algorithm === undefined ? this.#cose : withAlgorithm(this.#cose, lies.algorithm)
    const credential = Buffer.concat([Buffer.alloc(16), size, this.id, cose])
    const authData = Buffer.concat([this.#head(lies, withCredential), credential])
    const [format, statement] = this.#attestation(authData, clientData, lies)
    const object = new Map<string, Cbor>([
      ['fmt', lies.format ?? format],
      ['attStmt', lies.statement ?? statement],
      ['authData', authData],
    ])
    return this.#response({ clientDataJSON: b64u(clientData), attestationObject: b64u(encode(object)) }, lies)
  }

  /** AuthenticationResponseJSON. */
  assert(challenge: Uint8Array, lies: Lies = {}): Record<string, unknown> {
    const clientData = this.#clientData('webauthn.get', challenge, lies)
    const authData = this.#head(lies, 0)
    const signature = lies.signature ?? b64u(this.signed(authData, clientData))
    const response = { clientDataJSON: b64u(clientData), authenticatorData: b64u(authData), signature }
    return this.#response(response, lies)
  }

  /** The signature over authenticator data and client data. */
  signed(authData: Uint8Array, clientData: Uint8Array): Buffer {
    return sign('sha256', Buffer.concat([authData, sha256(clientData)]), this.#key)
  }

  #attestation(authData: Buffer, clientData: Buffer, lies: Lies): [format: string, statement: Map<string, Cbor>] {
    if (lies.selfAttested) {
      const signature = this.signed(authData, clientData)
      return ['packed', new Map<string, Cbor>(Object.entries({ alg: this.algorithm, sig: signature }))]
    }
    if (!lies.certified) return ['none', new Map()]
    const { x = '', y = '' } = this.#key.export({ format: 'jwk' })
    const point = ['BA', x, y].map((part) => Buffer.from(part, 'base64url'))
    const signed = [Buffer.alloc(1), authData.subarray(0, 32), sha256(clientData), this.id, ...point]
    const certificate = new X509Certificate(testCertificate.cert).raw
    const signature = sign('sha256', Buffer.concat(signed), testCertificate.key)
    return ['fido-u2f', new Map<string, Cbor>(Object.entries({ x5c: [certificate], sig: signature }))]
  }

  #response(response: object, { id }: Lies): Record<string, unknown> {
    const name = id ?? b64u(this.id)
    const attachment = { authenticatorAttachment: 'platform', clientExtensionResults: {} }
    return { id: name, rawId: name, type: 'public-key', response, ...attachment }
  }

  #clientData(type: string, challenge: Uint8Array, lies: Lies): Buffer {
    const { crossOrigin = false, topOrigin } = lies
    const data = {
      type: lies.type ?? type,
      challenge: lies.challenge ?? b64u(challenge),
      origin: lies.origin ?? this.origin,
      crossOrigin,
      ...(topOrigin !== undefined && { topOrigin }),
    }
    return Buffer.from(JSON.stringify(data))
  }

  /** Hash of the rpId, flags and count. */
  #head(lies: Lies, more: number): Buffer {
    const flags = Buffer.from([(lies.flags ?? present | verified) | more])
    const count = Buffer.alloc(4)
    count.writeUInt32BE(lies.signCount ?? this.signCount)
    return Buffer.concat([sha256(Buffer.from(lies.rpId ?? new URL(this.origin).hostname)), flags, count])
  }
}

function coseOf(key: KeyObject, algorithm: -7 | -257): Buffer {
  const { x = '', y = '', n = '', e = '' } = key.export({ format: 'jwk' })
  const bytes = (text: string) => Buffer.from(text, 'base64url')
  const ec: [number, Cbor][] = [
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, bytes(x)],
    [-3, bytes(y)],
  ]
  const rsa: [number, Cbor][] = [
    [1, 3],
    [3, -257],
    [-1, bytes(n)],
    [-2, bytes(e)],
  ]
  return encode(new Map<number | string, Cbor>(algorithm === -7 ? ec : rsa))
}

/** A key of ES256 that says it is of another algorithm: the third and fourth bytes of its map are label and value. */
function withAlgorithm(cose: Buffer, algorithm: number): Buffer {
  return Buffer.concat([cose.subarray(0, 4), encode(algorithm), cose.subarray(5)])
}

/** CBOR (RFC 8949), as much of it as a registration needs. */
function encode(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)])
  const entries = [...value].flatMap(([name, member]) => [encode(name), encode(member)])
  return Buffer.concat([head(5, value.size), ...entries])
}

function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.from([(major << 5) | argument])
  if (argument < 256) return Buffer.from([(major << 5) | 24, argument])
  return Buffer.from([(major << 5) | 25, argument >> 8, argument & 255])
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function b64u(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}
