import type { SyncReply } from '@countersign/protocol/device-messages.ts'
import type { App } from '../../app.ts'
import { malformed } from '../../core/signed-messages.ts'
import { sync, syncWaitMaxSeconds } from '../../core/sync.ts'
import type { Incoming } from '../route.ts'
import { readObject } from './body.ts'

const tokensMax = 20
const haveMax = 60

/** The long poll of a device for all its tokens at once. */
export async function poll(app: App, request: Incoming): Promise<SyncReply> {
  const { wait, have = [], tokens, ...unknown } = readObject(request.text)
  const valid = isWait(wait) && isTexts(have, haveMax) && isTexts(tokens, tokensMax) && tokens.length > 0
  if (!valid || Object.keys(unknown).length > 0) throw malformed()
  return sync(app, { wait, have, tokens, address: request.clientAddress }, request.signal)
}

function isWait(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= syncWaitMaxSeconds
}

function isTexts(value: unknown, max: number): value is string[] {
  return Array.isArray(value) && value.length <= max && value.every((item) => typeof item === 'string')
}
