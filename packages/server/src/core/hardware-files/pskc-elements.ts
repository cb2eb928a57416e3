import { quoted, TokenProblem } from './entries.ts'
import type { XmlElement } from './xml.ts'

/** The namespaces of RFC 6030 and of what it is built on. */
export const ns = {
  pskc: 'urn:ietf:params:xml:ns:keyprov:pskc',
  ds: 'http://www.w3.org/2000/09/xmldsig#',
  xenc: 'http://www.w3.org/2001/04/xmlenc#',
  xenc11: 'http://www.w3.org/2009/xmlenc11#',
  pkcs5: 'http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#',
  none: '',
} as const

export type Namespace = keyof typeof ns

/** The child of that name, if any. Two are refused: each could be meant, and a MAC may cover only one. */
export function find(
  element: XmlElement | undefined,
  name: string,
  spaces: Namespace[] = ['pskc'],
): XmlElement | undefined {
  const found = element?.children.filter(
    (child) => child.name === name && spaces.some((space) => ns[space] === child.uri),
  )
  if (found && found.length > 1) throw new TokenProblem(`The element ${name} is there twice.`)
  return found?.[0]
}

/** The child of that name, which must be there. */
export function need(element: XmlElement, name: string, spaces?: Namespace[]): XmlElement {
  const found = find(element, name, spaces)
  if (!found) throw new TokenProblem(`The element ${name} is missing.`)
  return found
}

/** The element's text without the white space around it; nothing when the element is missing. */
export function textOf(element: XmlElement | undefined): string {
  return element?.text.trim() ?? ''
}

/** The bytes in base64, which may be broken into lines. */
export function base64Of(element: XmlElement): Uint8Array {
  const text = element.text.replace(/[ \t\r\n]/g, '')
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new TokenProblem(`The element ${quoted(element.name)} is not base64.`)
  return new Uint8Array(bytes)
}

/** A value in clear; nothing when it is absent. */
export function plainValueOf(element: XmlElement | undefined): string {
  if (find(element, 'EncryptedValue'))
    throw new TokenProblem(`The element ${element?.name} is encrypted: only seeds may be.`)
  return textOf(find(element, 'PlainValue'))
}
