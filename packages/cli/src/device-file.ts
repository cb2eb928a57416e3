import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeviceStore, StoredToken } from '@countersign/sdk/device.ts'

interface Content {
  version: 1
  tokens: StoredToken[]
}

const lockPauseMs = 20
const lockWaitMs = 10_000
// Nobody holds the lock for longer than a write takes; one that is older is of a process that was killed.
const lockStaleMs = 5_000

/**
 * Tokens in one JSON file that only its owner can read. Each change replaces the whole file, so a crash leaves the old one
 * or the new one, and a lock file beside it keeps two commands from overwriting each other's keys.
 */
export function fileStore(path: string): DeviceStore {
  return {
    exportable: true,
    load: async () => (await read(path)).tokens,
    update: (tid, change) =>
      locked(path, async () => {
        const { tokens } = await read(path)
        const others = tokens.filter((token) => token.tid !== tid)
        const changed = change(tokens.find((token) => token.tid === tid))
        await replace(path, { version: 1, tokens: changed ? [...others, changed] : others })
      }),
  }
}

async function read(path: string): Promise<Content> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new Error(`The tokens in ${path} cannot be read.`, { cause: error })
  })
  if (text === undefined) return { version: 1, tokens: [] }
  await requirePrivate(path)
  return parse(path, text)
}

function parse(path: string, text: string): Content {
  try {
    const content: Content = JSON.parse(text)
    if (content.version === 1 && Array.isArray(content.tokens)) return content
  } catch {
    // not even JSON: the same sentence says it
  }
  throw new Error(`${path} is not a file of tokens.`)
}

async function requirePrivate(path: string): Promise<void> {
  const { mode } = await stat(path)
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  throw new Error(`${path} holds keys, and others can read it. Run: chmod 600 ${path}`)
}

async function replace(path: string, content: Content): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(dirname(path))
}

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return // Windows has no such call
  const directory = await open(path, 'r')
  await directory.sync().finally(() => directory.close())
}

async function locked(path: string, work: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`
  await (await acquire(lock)).close()
  try {
    await work()
  } finally {
    await rm(lock, { force: true })
  }
}

async function acquire(lock: string): Promise<FileHandle> {
  for (let waitedMs = 0; ; waitedMs += lockPauseMs) {
    try {
      return await open(lock, 'wx', 0o600)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || waitedMs > lockWaitMs) throw error
    }
    const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY })) // released meanwhile
    if (Date.now() - mtimeMs > lockStaleMs) await rm(lock, { force: true })
    await sleep(lockPauseMs)
  }
}
