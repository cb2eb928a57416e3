import type { SyncReply, SyncRequest } from '@countersign/protocol/device-messages.ts'
import type { App } from '../../app.ts'
import { limitFailures } from '../../core/device-failures.ts'
import { malformed } from '../../core/signed-messages.ts'
import { sync, syncWaitMaxSeconds } from '../../core/sync.ts'
import type { Incoming } from '../route.ts'
import { findObject, sender } from './body.ts'

const tokensMax = 20
const haveMax = 60

/** The long poll of a device for all its tokens at once. */
export function poll(app: App, request: Incoming): Promise<SyncReply> {
  const read = readPoll(request)
  const messages = read?.tokens.map((text) => ({ op: 'sync' as const, text }))
  return limitFailures(app, sender(request, messages), async (judged) => {
    if (!read) throw malformed()
    return sync(app, { ...read, address: request.clientAddress, judged }, request.pollSignal)
  })
}

function readPoll(request: Incoming): SyncRequest | undefined {
  const { wait, have = [], tokens, ...unknown } = findObject(request) ?? {}
  const valid = isWait(wait) && isTexts(have, haveMax) && isTexts(tokens, tokensMax) && tokens.length > 0
  return valid && Object.keys(unknown).length === 0 ? { wait, have, tokens } : undefined
}

function isWait(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= syncWaitMaxSeconds
}

function isTexts(value: unknown, max: number): value is string[] {
  return Array.isArray(value) && value.length <= max && value.every((item) => typeof item === 'string')
}
