import type { BeginReply } from '@countersign/protocol/device-messages.ts'
import type { CodeProof } from '../protocol/activation.ts'
import type { Refusal } from '../protocol/refusals.ts'
import type { ActivationStep, CodeProblem, Offer } from './model.ts'
import { domainView, sendProblem, unlocksOf } from './views.ts'

/** What was presented, as long as it may have to be presented again. */
export interface Attempt {
  code: string
  proof: CodeProof
}

/** What the server offers, as the user is asked about it. */
export function offerView(reply: BeginReply, origin: string, hasPlatform: boolean): Offer {
  const { server, domain, user, policy, expires } = reply
  const unlock = unlocksOf(policy, hasPlatform)
  return {
    server: { name: server.name, origin },
    domain: domainView(domain),
    ...{ user, unlock, minLength: policy.minLength, expiresAt: expires * 1000 },
  }
}

/** Whether there is something to choose that unlocks it. */
export function asksFor({ unlock }: Offer): boolean {
  return unlock.length > 0 && !unlock.includes('none')
}

/** Where the user is after the server has refused a code. */
export function stepAfterRefusal(refusal: Refusal, { code, proof }: Attempt): ActivationStep {
  if (refusal.code === 'activation_failed' || refusal.code === 'malformed') {
    const problem: CodeProblem = { is: 'unknown' }
    if ('username' in proof) return { at: 'username', code, username: proof.username, problem }
    return { at: 'code', code, problem }
  }
  if (refusal.code === 'rate_limited') {
    const problem: CodeProblem = { is: 'too_many_tries', waitSeconds: Math.ceil(refusal.retryAfterSeconds ?? 60) }
    return { at: 'code', code, problem }
  }
  if (refusal.code === 'other_server') return { at: 'refused', why: 'other_server' }
  if (refusal.code === 'unsupported_version') return { at: 'refused', why: 'unsupported' }
  return { at: 'asking', problem: sendProblem(refusal) }
}

/** What is wrong with a text that is no code. */
export function malformedCode(typed: string): CodeProblem {
  const character = [...typed].find((letter) => !/[0-9a-z\s-]/i.test(letter) || /u/i.test(letter))
  return { is: 'malformed', ...(character !== undefined && { character }) }
}
