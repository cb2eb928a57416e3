import type { EndedToken, Token, Tokens } from './model.ts'
import { KeyView, type TokenParts } from './token.svelte.ts'
import { domainView } from './views.ts'

/** The keys on this phone. */
export class TokenList implements Tokens {
  readonly #parts: TokenParts
  #hasPlatform = $state(false)
  /** one view a key, so that a screen keeps the one that it shows */
  readonly #views = new Map<string, KeyView>()

  constructor(parts: Omit<TokenParts, 'hasPlatform'>) {
    this.#parts = { ...parts, hasPlatform: () => this.#hasPlatform }
    void parts.inside.platform.available().then((available) => {
      this.#hasPlatform = available
    })
  }

  get all(): Token[] {
    return this.#parts.keyring.records.map((record) => this.#viewOf(record))
  }

  get ended(): EndedToken[] {
    return this.#parts.keyring.ended.map(({ domain, ...note }) => ({ ...note, domain: domainView(domain) }))
  }

  get loaded(): boolean {
    return this.#parts.keyring.loaded
  }

  get evicted(): boolean {
    return this.#parts.keyring.evicted
  }

  find(tid: string): Token | undefined {
    const record = this.#parts.keyring.find(tid)
    return record && this.#viewOf(record)
  }

  dismissEnded(tid: string): void {
    void this.#parts.keyring.dismissEnded(tid)
  }

  dismissEvicted(): void {
    this.#parts.keyring.dismissEvicted()
  }

  #viewOf(record: TokenParts['keyring']['records'][number]): KeyView {
    const view = this.#views.get(record.tid) ?? new KeyView(record, this.#parts)
    this.#views.set(record.tid, view)
    return view
  }
}
