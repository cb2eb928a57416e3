import { type DBSchema, type IDBPDatabase, type IDBPIndex, openDB, type StoreNames } from 'idb'
import {
  type EndedRecord,
  type Facts,
  type HistoryRecord,
  historyMax,
  type Store,
  type TokenRecord,
} from './records.ts'

interface Schema extends DBSchema {
  tokens: { key: string; value: TokenRecord }
  ended: { key: string; value: EndedRecord }
  history: { key: string; value: HistoryRecord; indexes: { tid: [string, number] } }
  facts: { key: string; value: Partial<Facts> }
}

const everything = 'all'

/** The store in IndexedDB. Throws when the browser has none (private windows of some) or refuses it. */
export async function openIdbStore(name = 'countersign'): Promise<Store> {
  let opening: Promise<IDBPDatabase<Schema>> | undefined
  // A newer version in another tab, or the user who clears the site's data, waits for this connection to go; the next use opens
  // what is there then.
  const release = () => {
    void opening?.then((db) => db.close())
    opening = undefined
  }
  const database = () => {
    opening ??= open(name, release)
    return opening
  }
  await database()
  return {
    tokens: async () => (await database()).getAll('tokens'),
    update: async (tid, change) => update(await database(), tid, change),
    end: async (note) => end(await database(), note),
    ended: async () => (await database()).getAll('ended'),
    dismissEnded: async (tid) => (await database()).delete('ended', tid),
    history: async () => (await (await database()).getAll('history')).sort((one, other) => other.at - one.at),
    remember: async (entry) => remember(await database(), entry),
    facts: async () => (await (await database()).get('facts', everything)) ?? {},
    setFacts: async (facts) => setFacts(await database(), facts),
  }
}

function open(name: string, release: () => void): Promise<IDBPDatabase<Schema>> {
  return openDB<Schema>(name, 1, {
    upgrade(created) {
      created.createObjectStore('tokens', { keyPath: 'tid' })
      created.createObjectStore('ended', { keyPath: 'tid' })
      created.createObjectStore('history', { keyPath: 'sid' }).createIndex('tid', ['tid', 'at'])
      created.createObjectStore('facts')
    },
    blocking: release,
    terminated: release,
  })
}

async function setFacts(db: IDBPDatabase<Schema>, facts: Partial<Facts>): Promise<void> {
  const tx = db.transaction('facts', 'readwrite')
  await tx.store.put({ ...(await tx.store.get(everything)), ...facts }, everything)
  await tx.done
}

async function update(db: IDBPDatabase<Schema>, tid: string, change: Parameters<Store['update']>[1]): Promise<void> {
  const tx = db.transaction(['tokens', 'history'], 'readwrite', { durability: 'strict' })
  const tokens = tx.objectStore('tokens')
  const next = change(await tokens.get(tid))
  if (next) await tokens.put(next)
  else {
    await tokens.delete(tid)
    await forget(tx.objectStore('history').index('tid'), tid, 0)
  }
  await tx.done
}

async function end(db: IDBPDatabase<Schema>, note: EndedRecord): Promise<void> {
  const tx = db.transaction(['tokens', 'history', 'ended'], 'readwrite', { durability: 'strict' })
  const tokens = tx.objectStore('tokens')
  if (await tokens.get(note.tid)) await tx.objectStore('ended').put(note)
  await tokens.delete(note.tid)
  await forget(tx.objectStore('history').index('tid'), note.tid, 0)
  await tx.done
}

async function remember(db: IDBPDatabase<Schema>, entry: HistoryRecord): Promise<void> {
  const tx = db.transaction('history', 'readwrite')
  // Another tab of this phone has answered, and has written down what.
  if (entry.result !== 'elsewhere' || !(await tx.store.get(entry.sid))) await tx.store.put(entry)
  await forget(tx.store.index('tid'), entry.tid, historyMax)
  await tx.done
}

type HistoryOfToken = IDBPIndex<Schema, ArrayLike<StoreNames<Schema>>, 'history', 'tid', 'readwrite'>

/** Deletes a token's history but for the newest entries. */
async function forget(index: HistoryOfToken, tid: string, keep: number): Promise<void> {
  const range = IDBKeyRange.bound([tid, 0], [tid, Number.MAX_SAFE_INTEGER])
  let cursor = await index.openCursor(range, 'prev')
  for (let seen = 0; cursor; seen++) {
    if (seen >= keep) await cursor.delete()
    cursor = await cursor.continue()
  }
}
