/** The open polls of this node. */
export interface Polls {
  /** how many have begun and not finished */
  readonly open: number
  /** Ends older polls of these tokens. */
  begin(tids: string[]): Turn
  /** Resolves when the token's open poll, or a newer one in its place, has finished, with whether its device was told. */
  outcome(tid: string): Promise<boolean> | undefined
}

/** One poll, until it finishes. */
interface Turn {
  /** aborts when a newer poll of one of the tokens has come */
  ended: AbortSignal
  /** `told`: the device was still there, and has what the server knows */
  finish(told: boolean): void
}

interface Poll {
  controller: AbortController
  /** the newer poll that ended this one */
  successor?: Poll
  outcome: Promise<boolean>
}

export function openPolls(): Polls {
  const latest = new Map<string, Poll>()
  let open = 0
  return {
    get open() {
      return open
    },
    begin(tids) {
      open++
      const { promise: outcome, resolve } = Promise.withResolvers<boolean>()
      const poll: Poll = { controller: new AbortController(), outcome }
      for (const tid of tids) {
        replace(latest.get(tid), poll)
        latest.set(tid, poll)
      }
      const { signal: ended } = poll.controller
      const finish = (told: boolean) => {
        open--
        for (const tid of tids) if (latest.get(tid) === poll) latest.delete(tid)
        resolve(poll.successor?.outcome ?? told)
      }
      return { ended, finish }
    },
    outcome: (tid) => latest.get(tid)?.outcome,
  }
}

function replace(older: Poll | undefined, newer: Poll): void {
  if (!older) return
  older.successor = newer
  older.controller.abort()
}
