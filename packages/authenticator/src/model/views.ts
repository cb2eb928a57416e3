import type { Policy } from '@countersign/protocol/device-messages.ts'
import type { Refusal } from '../protocol/refusals.ts'
import type { UnlockRecord } from '../store/records.ts'
import type { Domain, SendProblem, Unlock } from './model.ts'

/** A domain with the address of its picture on this origin. */
export function domainView({ id, name }: { id: string; name: string }): Domain {
  return { id, name, imageUrl: `/device/v1/domains/${id}/image` }
}

/** How a token is unlocked, in one word. */
export function unlockOf(record: UnlockRecord): Unlock {
  return record.method === 'pin' ? record.kind : record.method
}

/** The kind of PIN that a domain wants. */
export function kindOf({ kind }: Policy): 'pin' | 'passcode' {
  return kind ?? 'pin'
}

/** What a domain takes, of what this phone can. */
export function unlocksOf(policy: Policy, hasPlatform: boolean): Unlock[] {
  return policy.unlock.flatMap((method): Unlock[] => {
    if (method === 'platform') return hasPlatform ? ['platform'] : []
    return [method === 'pin' ? kindOf(policy) : method]
  })
}

/** Why something was not sent. */
export function sendProblem({ code, retryAfterSeconds }: Refusal): SendProblem {
  if (code === 'no_answer') return { is: 'offline' }
  return { is: 'server', ...(retryAfterSeconds !== undefined && { waitSeconds: Math.ceil(retryAfterSeconds) }) }
}
