/** the server tells whole seconds, and an answer takes a moment */
const toleranceMs = 1_500

/** The server's clock, as far as this phone can know it: its own, and what the two differ by. */
export class ServerClock {
  readonly #local: () => number
  #offsetMs: number

  constructor(local: () => number, offsetMs = 0) {
    this.#local = local
    this.#offsetMs = offsetMs
  }

  /** milliseconds since 1970 */
  now(): number {
    return this.#local() + this.#offsetMs
  }

  get offsetMs(): number {
    return this.#offsetMs
  }

  /** Takes a time (Unix seconds) that has just come from the server. Whether anything changed. */
  learn(time: number): boolean {
    const offsetMs = time * 1000 + 500 - this.#local()
    if (Math.abs(offsetMs - this.#offsetMs) < toleranceMs) return false
    this.#offsetMs = offsetMs
    return true
  }
}
