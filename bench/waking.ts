import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { TestDevice } from '../packages/server/test/support/device.ts'
import type { Node } from '../packages/server/test/support/process.ts'
import type { Owner } from './crowd.ts'
import { quantile } from './load.ts'
import { createSession } from './operations.ts'

/** Milliseconds from the application's call to the answer of the poll that waited for it. */
export interface Waking {
  medianMs: number
  maxMs: number
}

const waitSeconds = 25
/** until the poll surely waits */
const settleMs = 50

/** Applications ask `asked`, devices poll `polled`: the same node or another one. Each owner once, one after another. */
export async function measureWaking(
  owners: Owner[],
  { asked, polled }: { asked: Node; polled: Node },
): Promise<Waking> {
  const times: number[] = []
  for (const owner of owners) {
    const polling = new TestDevice(polled, owner.device).poll({ wait: waitSeconds })
    await delay(settleMs)
    const began = performance.now()
    const [result, sid] = await Promise.all([stamped(polling), createSession(asked, owner)])
    const news = result.value.ok ? result.value.requests.map((request) => request.sid) : []
    assert.deepEqual(news, [sid])
    times.push(result.at - began)
  }
  return { medianMs: quantile(times, 0.5), maxMs: Math.max(...times) }
}

async function stamped<T>(promise: Promise<T>): Promise<{ value: T; at: number }> {
  return { value: await promise, at: performance.now() }
}
