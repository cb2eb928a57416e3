import { randomBytes } from 'node:crypto'
import {
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** Key-encryption keys by id; `active` wraps what is new. */
export interface Keyring {
  active: string
  keys: Map<string, Uint8Array>
}

/** Reads a keyring file. Refuses one that others on this machine can read, and one that holds no usable key. */
export function readKeyring(file: string): Keyring {
  const { mode } = statSync(file)
  if (mode & 0o077) throw new Error(`${file} can be read by others on this machine. Run: chmod 400 ${file}`)
  const { active, keys } = parse(readFileSync(file, 'utf8'), file)
  const decoded = new Map(keys.map(([id, key]) => [id, new Uint8Array(Buffer.from(String(key), 'base64'))]))
  for (const [id, key] of decoded) if (key.length !== 32) throw new Error(`${file}: key ${id} is not 32 bytes.`)
  if (!decoded.has(active)) throw new Error(`${file}: the active key ${active} is not among its keys.`)
  return { active, keys: decoded }
}

/** Creates a keyring file with one new key, mode 0400. Whoever comes second gets the first one's. */
export function createKeyring(file: string): Keyring {
  const keyring = { active: 'k1', keys: { k1: randomBytes(32).toString('base64') } }
  const complete = `${file}.${randomBytes(6).toString('hex')}`
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(complete, `${JSON.stringify(keyring)}\n`, { flag: 'wx', mode: 0o400, flush: true })
  try {
    linkSync(complete, file) // fails if the file exists, and nobody ever sees half of it
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    unlinkSync(complete)
  }
  return readKeyring(file)
}

/** Adds a new key to a keyring file and makes it the active one. */
export function addKey(file: string): Keyring {
  const { keys } = readKeyring(file)
  const numbers = [...keys.keys()].map((id) => Number(/^k(\d+)$/.exec(id)?.[1] ?? 0))
  const active = `k${Math.max(...numbers) + 1}`
  return replaceKeyring(file, { active, keys: new Map([...keys, [active, new Uint8Array(randomBytes(32))]]) })
}

/** Removes keys from a keyring file; never the active one. */
export function dropKeys(file: string, ids: string[]): Keyring {
  const { active, keys } = readKeyring(file)
  const kept = [...keys].filter(([id]) => id === active || !ids.includes(id))
  return replaceKeyring(file, { active, keys: new Map(kept) })
}

/** Whoever reads the file meanwhile, or after a crash, finds the old or the new one whole. Its owner stays. */
function replaceKeyring(file: string, { active, keys }: Keyring): Keyring {
  const place = realpathSync(file)
  const complete = `${place}.${randomBytes(6).toString('hex')}`
  const encoded = [...keys].map(([id, key]) => [id, Buffer.from(key).toString('base64')])
  const text = `${JSON.stringify({ active, keys: Object.fromEntries(encoded) })}\n`
  try {
    writeFileSync(complete, text, { flag: 'wx', mode: 0o400, flush: true })
    const { uid, gid } = statSync(place)
    if (uid !== process.getuid?.() || gid !== process.getgid?.()) chownSync(complete, uid, gid)
    renameSync(complete, place)
  } catch (error) {
    rmSync(complete, { force: true })
    throw error
  }
  return readKeyring(file)
}

/** Whether an error of the file system has this code. */
function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function parse(text: string, file: string): { active: string; keys: [id: string, key: unknown][] } {
  try {
    const { active, keys } = JSON.parse(text)
    return { active, keys: Object.entries(keys) }
  } catch {
    // The parser's own message quotes the file.
    throw new Error(`${file} is not a keyring: {"active":"k1","keys":{"k1":"<32 bytes in base64>"}}.`)
  }
}
