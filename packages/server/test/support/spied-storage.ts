import type { Storage } from '../../src/storage/storage.ts'

/** Writes down every call of a repository, and can make one of them fail. Calls inside a unit begin with `tx.`. */
export interface Spy {
  calls: string[]
  /** the call that throws, and what */
  failing: { call: string; error: Error } | undefined
  /** for ServerOptions.storage */
  storage(storage: Storage): Storage
}

export function spyOnStorage(): Spy {
  const spy: Spy = {
    calls: [],
    failing: undefined,
    storage: (storage) => ({
      ...spied(spy, storage, ''),
      transaction: (work) => storage.transaction((tx) => work(spied(spy, tx, 'tx.'))),
    }),
  }
  return spy
}

type Method = (...values: unknown[]) => unknown

function spied<Repositories extends object>(spy: Spy, repositories: Repositories, prefix: string): Repositories {
  const nouns = Object.entries(repositories).map(([noun, repository]) => {
    if (typeof repository !== 'object' || repository === null) return [noun, repository]
    const methods = Object.entries(repository as Record<string, Method>).map(([verb, method]) => {
      const call = `${prefix}${noun}.${verb}`
      const spying: Method = (...values) => {
        spy.calls.push(call)
        if (spy.failing?.call === call) return Promise.reject(spy.failing.error)
        return method(...values)
      }
      return [verb, spying]
    })
    return [noun, Object.fromEntries(methods)]
  })
  return Object.fromEntries(nouns) as Repositories // the same members, by construction
}
