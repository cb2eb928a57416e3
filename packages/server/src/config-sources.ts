import { readFileSync } from 'node:fs'
import { keyOf, readConfigFile } from './config-file.ts'

type Values = Record<string, string | undefined>

/** The places where a setting may be written, the environment before the configuration file, and what is wrong in them. */
export class Sources {
  /** a line each, beginning with where it was found */
  readonly mistakes: string[]
  readonly #environment: Values
  readonly #file: Values
  readonly #fileName: string = ''

  /** `settings` are all that exist; one with a member `list` may be an array in the file. */
  constructor(environment: Values, settings: Record<string, object>) {
    this.#environment = environment
    this.#file = {}
    this.mistakes = []
    const names = Object.keys(settings).filter((name) => name !== 'COUNTERSIGN_CONFIG')
    const lists = new Set(names.filter((name) => 'list' in (settings[name] ?? {})))
    const file = this.read('COUNTERSIGN_CONFIG', (name) => ({ name, ...readConfigFile(name, { names, lists }) }))
    if (!file) return
    this.#fileName = file.name
    this.#file = file.values
    this.mistakes.push(...file.mistakes)
  }

  /** What is written, parsed. Undefined when nothing is, or when it cannot be used: then there is a mistake more. */
  read<T>(name: string, parse: (text: string) => T): T | undefined {
    try {
      const text = this.#text(name)
      return text === undefined ? undefined : parse(text)
    } catch (error) {
      this.mistakes.push(`${this.where(name)}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  /** Whether it is written anywhere, usable or not. */
  given(name: string): boolean {
    return isIn(this.#environment, name) || isIn(this.#file, name)
  }

  /** What an operator must look for: the variable's name, or the file's and the key. */
  where(name: string): string {
    return this.#isFromFile(name) ? `${this.#fileName}: ${keyOf(name)}` : name
  }

  #isFromFile(name: string): boolean {
    return !isIn(this.#environment, name) && isIn(this.#file, name)
  }

  #text(name: string): string | undefined {
    const fromFile = this.#isFromFile(name)
    const values = fromFile ? this.#file : this.#environment
    const file = values[`${name}_FILE`]
    const value = values[name]
    if (file && value) throw new Error(`Set it or ${fromFile ? `${keyOf(name)}_file` : `${name}_FILE`}, not both.`)
    // A file that a secret store writes usually ends in a newline.
    const text = file ? readFileSync(file, 'utf8').trimEnd() : value
    return text === '' ? undefined : text
  }
}

/** An empty setting is none. */
function isIn(values: Values, name: string): boolean {
  return Boolean(values[name] || values[`${name}_FILE`])
}
