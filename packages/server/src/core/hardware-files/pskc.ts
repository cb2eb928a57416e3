import { unusableFile } from '../text-files.ts'
import {
  checkCount,
  counterBased,
  type Entry,
  type InParts,
  quoted,
  readDigits,
  readTimeStep,
  TokenProblem,
} from './entries.ts'
import { base64Of, find, need, ns, plainValueOf, textOf } from './pskc-elements.ts'
import { type Decryption, openEncryption, type PskcKeys } from './pskc-encryption.ts'
import { readXml, type XmlElement } from './xml.ts'

/**
 * The time-based tokens of a PSKC file (RFC 6030). Dates of validity are a manufacturer's guess at the life of a
 * battery and are not looked at; a signature over the file is not verified.
 */
export function* readPskc(text: string, options: PskcOptions): InParts<Entry[]> {
  return (yield* readPskcKeys(text, options)).map((key) => ({
    line: key.line,
    serialNumber: key.serialNumber,
    read() {
      const element = key.element()
      checkAlgorithm(element)
      checkPolicy(find(element, 'Policy'))
      return { alias: textOf(find(element, 'FriendlyName')), ...formatOf(element), seed: key.secret() }
    },
  }))
}

/** What a file is read with, and how many keys it may have. */
export type PskcOptions = PskcKeys & { tokensMax: number }

/** A key of a container, of whatever algorithm. Its functions throw a TokenProblem for what is there twice or not. */
export interface PskcKey {
  /** of its KeyPackage */
  line: number
  /** the device's, or the key's own identifier where the device has none */
  serialNumber(): string
  element(): XmlElement
  /** the bytes of its secret, decrypted if need be */
  secret(): Uint8Array
}

/** All keys of a container, in order. */
export function* readPskcKeys(text: string, { tokensMax, ...keys }: PskcOptions): InParts<PskcKey[]> {
  const header: XmlElement[] = []
  const packages: XmlElement[] = []
  const root = yield* readXml(text, (child, container) => {
    checkContainer(container)
    if (child.uri === ns.pskc) (child.name === 'KeyPackage' ? packages : header).push(child)
    checkCount(packages.length, tokensMax)
  })
  checkContainer(root)
  if (packages.length === 0) throw unusableFile('The file has no keys (no KeyPackage).')
  const decryption = openEncryption({ ...root, children: header }, keys)
  return packages.map((keyPackage) => keyOf(keyPackage, decryption))
}

function checkContainer({ uri, name, attributes }: XmlElement): void {
  if (name !== 'KeyContainer' || uri !== ns.pskc) throw unusableFile('The file is XML, but not PSKC (RFC 6030).')
  if (attributes.Version === '1.0') return
  throw unusableFile(`The file is PSKC of version ${quoted(attributes.Version ?? '')}; only 1.0 (RFC 6030) is read.`)
}

function keyOf(keyPackage: XmlElement, decryption: Decryption): PskcKey {
  const element = () => need(keyPackage, 'Key')
  return {
    line: keyPackage.line,
    serialNumber() {
      const id = find(keyPackage, 'Key')?.attributes.Id ?? ''
      return textOf(find(find(keyPackage, 'DeviceInfo'), 'SerialNo')) || id
    },
    element,
    secret: () => secretOf(find(find(element(), 'Data'), 'Secret'), decryption),
  }
}

function secretOf(secret: XmlElement | undefined, { isExpected, decrypt }: Decryption): Uint8Array {
  const plain = find(secret, 'PlainValue')
  const encrypted = find(secret, 'EncryptedValue')
  if (secret && encrypted && !plain) return decrypt(secret)
  if (!plain) throw new TokenProblem('The key has no secret.')
  // Whoever changes a file could put a seed of their own, in clear, among those that a MAC protects.
  if (encrypted || isExpected) throw new TokenProblem('The seed stands in clear where it should be encrypted.')
  return base64Of(plain)
}

function checkAlgorithm(key: XmlElement): void {
  const algorithm = key.attributes.Algorithm ?? ''
  if (algorithm === `${ns.pskc}:hotp`) throw counterBased()
  if (algorithm !== `${ns.pskc}:totp`) {
    throw new TokenProblem(`The key’s algorithm is ${quoted(algorithm)}; only TOTP can be imported.`)
  }
  const suite = textOf(find(find(key, 'AlgorithmParameters'), 'Suite'))
  if (!/^(?:(?:HMAC-?)?SHA-?1)?$/i.test(suite)) {
    throw new TokenProblem(`The token’s codes are made by ${quoted(suite)}; only SHA-1 is supported.`)
  }
}

function formatOf(key: XmlElement): Pick<ReturnType<Entry['read']>, 'digits' | 'timeStep'> {
  const { attributes } = need(need(key, 'AlgorithmParameters'), 'ResponseFormat')
  if (attributes.Encoding !== 'DECIMAL') throw new TokenProblem('The token’s codes are not decimal digits.')
  if (/^(?:true|1)$/.test(attributes.CheckDigits ?? '')) {
    throw new TokenProblem('The token’s codes end with a check digit, which is not supported.')
  }
  if (!attributes.Length) throw new TokenProblem('The file does not say how many digits the token’s codes have.')
  const timeStep = readTimeStep(plainValueOf(find(find(key, 'Data'), 'TimeInterval')))
  return { digits: readDigits(attributes.Length), timeStep }
}

/** RFC 6030, section 5: a key may be used for nothing but what its policy says. */
function checkPolicy(policy: XmlElement | undefined): void {
  const usages = policy?.children.filter(({ uri, name }) => uri === ns.pskc && name === 'KeyUsage').map(textOf) ?? []
  if (usages.length > 0 && !usages.includes('OTP')) {
    throw new TokenProblem('The key’s policy (KeyUsage) does not allow one-time passwords.')
  }
  const pinUsage = find(policy, 'PINPolicy')?.attributes.PINUsageMode ?? 'Local'
  if (pinUsage !== 'Local') throw new TokenProblem('The token’s codes are combined with a PIN, which is not supported.')
}
