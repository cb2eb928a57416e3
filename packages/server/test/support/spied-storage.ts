import type { Storage } from '../../src/storage/storage.ts'

/** Writes down every call of a repository, and can make one of them fail. Calls inside a unit begin with `tx.`. */
export interface Spy {
  calls: string[]
  /** how many have begun and not ended */
  running: number
  /** the call that throws, and what */
  failing: { call: string; error: Error } | undefined
  /** the call that does not begin yet, and until when */
  held: { call: string; until: Promise<void> } | undefined
  /** for ServerOptions.storage */
  storage(storage: Storage): Storage
}

export function spyOnStorage(): Spy {
  const spy: Spy = {
    calls: [],
    running: 0,
    failing: undefined,
    held: undefined,
    storage: (storage) => ({
      ...spied(spy, storage, ''),
      transaction: (work) => storage.transaction((tx) => work(spied(spy, tx, 'tx.'))),
    }),
  }
  return spy
}

/** Runs the work, and lets none of these calls go on before as many of them have come as will. `spy.calls` is what was called. */
export async function allAtOnce<T>(spy: Spy, call: string, work: () => Promise<T>): Promise<T> {
  const gate = Promise.withResolvers<void>()
  spy.calls.length = 0
  spy.held = { call, until: gate.promise }
  const count = () => spy.calls.filter((name) => name === call).length
  const result = work()
  for (let quietTurns = 0, last = 0; quietTurns < 200; quietTurns++) {
    await new Promise(setImmediate)
    if (last === 0 || count() > last) quietTurns = 0
    last = count()
  }
  spy.held = undefined
  gate.resolve()
  return result
}

type Method = (...values: unknown[]) => unknown

function counted(spy: Spy, result: unknown): unknown {
  if (!(result instanceof Promise)) return result
  spy.running++
  return result.finally(() => spy.running--)
}

function spied<Repositories extends object>(spy: Spy, repositories: Repositories, prefix: string): Repositories {
  const nouns = Object.entries(repositories).map(([noun, repository]) => {
    if (typeof repository !== 'object' || repository === null) return [noun, repository]
    const methods = Object.entries(repository as Record<string, Method>).map(([verb, method]) => {
      const call = `${prefix}${noun}.${verb}`
      const spying: Method = (...values) => {
        spy.calls.push(call)
        if (spy.failing?.call === call) return Promise.reject(spy.failing.error)
        return counted(spy, spy.held?.call === call ? spy.held.until.then(() => method(...values)) : method(...values))
      }
      return [verb, spying]
    })
    return [noun, Object.fromEntries(methods)]
  })
  return Object.fromEntries(nouns) as Repositories // the same members, by construction
}
