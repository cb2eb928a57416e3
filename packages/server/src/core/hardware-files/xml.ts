import { SaxesParser } from 'saxes'
import { ApiError } from '../errors.ts'
import { unusableFile } from '../text-files.ts'
import type { InParts } from './entries.ts'

/** An element with what is in it; text is its own, without that of its children. */
export interface XmlElement {
  uri: string
  name: string
  /** those without a prefix */
  attributes: Record<string, string>
  children: XmlElement[]
  text: string
  /** where it begins, from 1 */
  line: number
}

const depthMax = 32
const elementTextMax = 64 * 1024
const subtreeElementsMax = 1_000
const attributesMax = 100
const partLength = 16 * 1024

/**
 * Reads XML and hands over each child of its root as soon as it is complete, with the root, so that never more than one
 * is held here. A document type is refused: it is what entities that expand, or that fetch a file, are declared in.
 */
export function* readXml(text: string, onChild: (child: XmlElement, root: XmlElement) => void): InParts<XmlElement> {
  const parser = new SaxesParser({ xmlns: true })
  const tree = new OpenElements(onChild)
  let line = 1
  let attributes = 0
  parser.on('doctype', () => {
    throw unusableFile('The file has a document type (DOCTYPE), which is refused: entities could be declared in it.')
  })
  parser.on('opentagstart', () => {
    line = parser.line
    attributes = 0
    tree.checkDepth()
  })
  parser.on('attribute', () => {
    if (++attributes > attributesMax) {
      throw unusableFile(`The file has an element with more than ${attributesMax} attributes (line ${line}).`)
    }
  })
  parser.on('opentag', ({ uri, local: name, attributes }) => {
    const plain = Object.values(attributes).filter(({ prefix }) => prefix === '')
    const values = Object.fromEntries(plain.map((attribute) => [attribute.local, attribute.value]))
    tree.open({ uri, name, attributes: values, children: [], text: '', line })
  })
  parser.on('closetag', () => tree.close())
  parser.on('text', (part) => tree.addText(part))
  parser.on('cdata', (part) => tree.addText(part))
  try {
    // Without a handler for errors the parser throws them.
    for (let from = 0; from < text.length; from += partLength) {
      parser.write(text.slice(from, from + partLength))
      yield
    }
    parser.close()
  } catch (error) {
    throw error instanceof ApiError ? error : notWellFormed(parser.line, error)
  }
  if (!tree.root) throw notWellFormed(1, 'there is no root')
  return tree.root
}

function notWellFormed(line: number, cause: unknown): ApiError {
  return unusableFile(`The file is not well-formed XML (line ${line}).`, cause)
}

/** The root and what is open below it. */
class OpenElements {
  root: XmlElement | undefined
  readonly #onChild: (child: XmlElement, root: XmlElement) => void
  readonly #open: XmlElement[] = []
  #count = 0

  constructor(onChild: (child: XmlElement, root: XmlElement) => void) {
    this.#onChild = onChild
  }

  checkDepth(): void {
    if (this.#open.length >= depthMax) throw unusableFile(`The file’s XML is nested deeper than ${depthMax} elements.`)
  }

  open(element: XmlElement): void {
    this.root ??= element
    if (this.#open.length === 1) this.#count = 0
    if (++this.#count > subtreeElementsMax) {
      throw unusableFile(`The file has more than ${subtreeElementsMax} elements in one (line ${element.line}).`)
    }
    if (this.#open.length > 1) this.#open.at(-1)?.children.push(element)
    this.#open.push(element)
  }

  close(): void {
    const closed = this.#open.pop()
    if (closed && this.root && this.#open.length === 1) this.#onChild(closed, this.root)
  }

  addText(part: string): void {
    const element = this.#open.at(-1)
    // Between the root’s children is nothing but white space that matters to nobody.
    if (!element || element === this.root) return
    if (element.text.length + part.length > elementTextMax) {
      throw unusableFile(`The file has an element with more than 64 KiB of text (line ${element.line}).`)
    }
    element.text += part
  }
}
