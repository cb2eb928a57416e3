import type { ServerClock } from '../protocol/clock.ts'

const tickMs = 1_000

/** The server's time as something to show: it changes each second. */
export class Ticker {
  readonly #clock: ServerClock
  #now: number
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(clock: ServerClock) {
    this.#clock = clock
    this.#now = $state(clock.now())
  }

  get now(): number {
    return this.#now
  }

  /** Reads the clock at once, as after a correction or when the page was asleep. */
  update(): void {
    this.#now = this.#clock.now()
  }

  start(): void {
    this.stop()
    this.update()
    this.#timer = setInterval(() => this.update(), tickMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
