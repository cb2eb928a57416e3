import {
  type EndedRecord,
  type Facts,
  type HistoryRecord,
  historyMax,
  type Store,
  type TokenRecord,
} from '../../src/store/records.ts'

/** A store that outlives a closed model, as IndexedDB does a closed page; Node.js has no IndexedDB. */
export function memoryStore(): Store & { clear(): void /** so many changes of a token fail */; failing: number } {
  const tokens = new Map<string, TokenRecord>()
  const ended = new Map<string, EndedRecord>()
  let history: HistoryRecord[] = []
  let facts: Partial<Facts> = {}
  const forget = (tid: string) => {
    history = history.filter((entry) => entry.tid !== tid)
  }
  return {
    failing: 0,
    tokens: async () => structuredClone([...tokens.values()]),
    async update(tid, change) {
      if (this.failing > 0) {
        this.failing--
        throw new Error('The disk is full')
      }
      const next = change(tokens.get(tid))
      if (next) tokens.set(tid, structuredClone(next))
      else {
        tokens.delete(tid)
        forget(tid)
      }
    },
    async end(note) {
      if (tokens.delete(note.tid)) ended.set(note.tid, note)
      forget(note.tid)
    },
    ended: async () => [...ended.values()],
    async dismissEnded(tid) {
      ended.delete(tid)
    },
    history: async () => [...history],
    async remember(entry) {
      if (entry.result === 'elsewhere' && history.some(({ sid }) => sid === entry.sid)) return
      const others = history.filter(({ sid }) => sid !== entry.sid)
      history = [entry, ...others].sort((one, other) => other.at - one.at).slice(0, historyMax)
    },
    facts: async () => facts,
    async setFacts(more) {
      facts = { ...facts, ...more }
    },
    clear() {
      tokens.clear()
      history = []
    },
  }
}
