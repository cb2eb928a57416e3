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
  const db = await openDB<Schema>(name, 1, {
    upgrade(created) {
      created.createObjectStore('tokens', { keyPath: 'tid' })
      created.createObjectStore('ended', { keyPath: 'tid' })
      created.createObjectStore('history', { keyPath: 'sid' }).createIndex('tid', ['tid', 'at'])
      created.createObjectStore('facts')
    },
    // A newer version in another tab waits for this one to let go.
    blocking: (_current, _blocked, event) => (event.target as unknown as IDBDatabase).close(),
  })
  return {
    tokens: () => db.getAll('tokens'),
    update: (tid, change) => update(db, tid, change),
    end: (note) => end(db, note),
    ended: () => db.getAll('ended'),
    dismissEnded: (tid) => db.delete('ended', tid),
    history: async () => (await db.getAll('history')).sort((one, other) => other.at - one.at),
    remember: (entry) => remember(db, entry),
    facts: async () => (await db.get('facts', everything)) ?? {},
    async setFacts(facts) {
      const tx = db.transaction('facts', 'readwrite')
      await tx.store.put({ ...(await tx.store.get(everything)), ...facts }, everything)
      await tx.done
    },
  }
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
  await tx.objectStore('tokens').delete(note.tid)
  await tx.objectStore('ended').put(note)
  await forget(tx.objectStore('history').index('tid'), note.tid, 0)
  await tx.done
}

async function remember(db: IDBPDatabase<Schema>, entry: HistoryRecord): Promise<void> {
  const tx = db.transaction('history', 'readwrite')
  await tx.store.put(entry)
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
