import { readFileSync } from 'node:fs'
import { parse, TomlError } from 'smol-toml'

/** What a configuration file says, by the names that the environment has for it, as texts. */
export interface ConfigFile {
  values: Record<string, string>
  /** each with the file's name in front */
  mistakes: string[]
}

const prefix = 'COUNTERSIGN_'

/** `COUNTERSIGN_API_LISTEN` is `api_listen` in the file. */
export function keyOf(name: string): string {
  return name.slice(prefix.length).toLowerCase()
}

/**
 * Reads a TOML file whose keys are the names of these settings (or NAME_FILE). `lists` names those that may be arrays. A file
 * that is not TOML is one mistake, and says nothing. Throws when it cannot be read.
 */
export function readConfigFile(file: string, { names, lists }: { names: string[]; lists: Set<string> }): ConfigFile {
  const { table, mistake } = parseToml(readFileSync(file, 'utf8'))
  const known = new Map(names.flatMap((name) => [name, `${name}_FILE`].map((either) => [keyOf(either), either])))
  const values: Record<string, string> = {}
  const mistakes = mistake === undefined ? [] : [mistake]
  for (const [key, value] of Object.entries(table)) {
    const name = known.get(key)
    const text = textOf(value, name !== undefined && lists.has(name))
    if (name === undefined) mistakes.push(`"${key}" is no setting.${suggestion(key, [...known.keys()])}`)
    else if (text === undefined)
      mistakes.push(`${key}: It is ${lists.has(name) ? 'a list of texts without commas' : 'one text or number'}.`)
    else values[name] = text
  }
  return { values, mistakes: mistakes.map((line) => `${file}: ${line}`) }
}

function parseToml(text: string): { table: Record<string, unknown>; mistake?: string } {
  try {
    return { table: parse(text, { unsafeKeyBehaviour: 'throw' }) }
  } catch (error) {
    if (error instanceof TomlError) return { table: {}, mistake: notToml(error) }
    throw error
  }
}

/** Only the first line of what the parser says: the others quote the file, and the line may hold a password. */
function notToml({ message, line, column }: TomlError): string {
  const [reason = ''] = message.replace('Invalid TOML document: ', '').split('\n')
  return `It is not valid TOML at line ${line}, column ${column}: ${reason}.`
}

function textOf(value: unknown, isList: boolean): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' && !isList) return String(value)
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === 'string' && !item.includes(','))
  return isList && isTexts ? value.join(',') : undefined
}

/** The setting that was meant, if one is so near that nothing else can have been. */
function suggestion(key: string, known: string[]): string {
  const written = key
    .toLowerCase()
    .replace(/^countersign_/, '')
    .replaceAll('-', '_')
  const [nearest] = known
    .map((name) => ({ name, distance: editDistance(written, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 4)))
    .sort((a, b) => a.distance - b.distance)
  return nearest ? ` Did you mean "${nearest.name}"?` : ''
}

/** How many characters must be inserted, deleted or replaced (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [index, character] of [...a].entries()) {
    const next = [index + 1]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (character === b[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
