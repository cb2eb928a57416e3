import { setTimeout as delay } from 'node:timers/promises'
import type { App } from '../../src/main.ts'
import { type Clock, fixedClock } from './server.ts'

/** A clock that also wakes those who wait for it. */
export interface TimedClock extends Clock {
  wait: App['wait']
  /** how long those who wait at the moment want to, shortest first */
  readonly waits: number[]
  /** Resolves once somebody waits for so many milliseconds. */
  untilWaiting(ms: number): Promise<void>
}

export function timedClock(): TimedClock {
  const clock = fixedClock()
  const timers = new Set<{ ms: number; at: number; end: () => void }>()
  const waits = () => [...timers].map(({ ms }) => ms).sort((one, other) => one - other)
  return {
    now: clock.now,
    advance(ms) {
      clock.advance(ms)
      for (const { at, end } of timers) if (at <= clock.now()) end()
    },
    get waits() {
      return waits()
    },
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve()
        const timer = { ms, at: clock.now() + ms, end }
        function end() {
          timers.delete(timer)
          signal.removeEventListener('abort', end)
          resolve()
        }
        timers.add(timer)
        signal.addEventListener('abort', end)
      }),
    async untilWaiting(ms) {
      const deadline = performance.now() + 10_000
      while (!waits().includes(ms)) {
        if (performance.now() > deadline) throw new Error(`Nobody waits ${ms} ms, but ${waits()}.`)
        await delay(2)
      }
    },
  }
}
