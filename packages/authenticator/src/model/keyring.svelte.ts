import type { EndedRecord, HistoryRecord, Store, TokenRecord } from '../store/records.ts'
import type { Page } from './surroundings.ts'
import type { Tabs } from './tabs.ts'

/** The store as the screens see it: what every tab reads again whenever one of them has written. */
export class Keyring {
  readonly #store: Store
  readonly #tabs: Tabs
  readonly #page: Page
  #records = $state.raw<TokenRecord[]>([])
  #ended = $state.raw<EndedRecord[]>([])
  #history = $state.raw<HistoryRecord[]>([])
  #loaded = $state(false)
  #evicted = $state(false)
  readonly #listeners: (() => void)[] = []

  constructor({ store, tabs, page }: { store: Store; tabs: Tabs; page: Page }) {
    this.#store = store
    this.#tabs = tabs
    this.#page = page
    tabs.onMessage(({ kind }) => void (kind === 'stored' && this.load()))
  }

  get records(): TokenRecord[] {
    return this.#records
  }

  get ended(): EndedRecord[] {
    return this.#ended
  }

  get history(): HistoryRecord[] {
    return this.#history
  }

  get loaded(): boolean {
    return this.#loaded
  }

  get evicted(): boolean {
    return this.#evicted
  }

  find(tid: string): TokenRecord | undefined {
    return this.#records.find((record) => record.tid === tid)
  }

  /** Calls back whenever the store was read again: there may be a first key, or no more. */
  onLoad(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async load(): Promise<void> {
    const [records, ended, history] = await Promise.all([
      this.#store.tokens(),
      this.#store.ended(),
      this.#store.history(),
    ])
    this.#records = records.sort((one, other) => one.addedAt - other.addedAt)
    this.#ended = ended
    this.#history = history
    // Whoever takes the last key away says so by taking the mark away, too.
    this.#evicted = records.length === 0 && this.#page.hadKeys
    this.#loaded = true
    for (const listener of this.#listeners) listener()
  }

  /** Changes a token in the store, then here and in the other tabs. */
  async update(tid: string, change: Parameters<Store['update']>[1]): Promise<void> {
    await this.#store.update(tid, change)
    await this.#changed()
  }

  /** Changes some members of a token; nothing happens when it is gone. */
  amend(tid: string, members: Partial<TokenRecord>): Promise<void> {
    return this.update(tid, (record) => record && { ...record, ...members })
  }

  /** Deletes a token with its keys, and leaves a note that says so. */
  async end(tid: string, by: EndedRecord['by'], now: number): Promise<void> {
    const record = this.find(tid)
    if (!record) return
    const { domain, user, name } = record
    await this.#store.end({ tid, domain, user, name, endedAt: now, by })
    await this.#changed()
  }

  /** Deletes a token with its keys, without a word. */
  async remove(tid: string): Promise<void> {
    await this.#store.update(tid, () => undefined)
    // The poll may have heard of it first, and said so.
    await this.dismissEnded(tid)
  }

  async remember(entry: HistoryRecord): Promise<void> {
    await this.#store.remember(entry)
    await this.#changed()
  }

  async dismissEnded(tid: string): Promise<void> {
    await this.#store.dismissEnded(tid)
    await this.#changed()
  }

  dismissEvicted(): void {
    this.#evicted = false
    this.#page.hadKeys = false
  }

  async #changed(): Promise<void> {
    this.#page.hadKeys = (await this.#store.tokens()).length > 0
    await this.load()
    this.#tabs.tell({ kind: 'stored' })
  }
}
