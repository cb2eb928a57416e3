import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { activationCodeBytes, encodeActivationCode } from '@countersign/protocol/activation-code.ts'
import type { Node } from '../packages/server/test/support/process.ts'
import { type Crowd, from, type Holder } from './crowd.ts'
import { quantile } from './load.ts'

type Try = { kind: string; code: string; username: string }

const triesEach = 100
/** The server refuses from the hundredth failure of a second on. */
const betweenTriesMs = 11

/** How long each kind of failed activation takes; a stranger should not be able to tell them apart. Milliseconds, median. */
export async function measureRefusals(node: Node, crowd: Crowd): Promise<Record<string, number>> {
  const tries = shuffled(triesOf(crowd))
  const times: Record<string, number[]> = {}
  for (const [number, { kind, ...input }] of tries.entries()) {
    const pause = delay(betweenTriesMs)
    const began = performance.now()
    const reply = await from(node, number).device('activation/begin', { v: 1, ...input })
    const ms = performance.now() - began
    assert.equal(reply.body.errors[0].code, 'activation_failed', reply.text)
    times[kind] = [...(times[kind] ?? []), ms]
    await pause
  }
  return Object.fromEntries(Object.entries(times).map(([kind, own]) => [kind, quantile(own, 0.5)]))
}

/** Each name a few times only: it has ten tries an hour. */
function triesOf({ owners, pending, expired }: Crowd): Try[] {
  return owners.slice(0, triesEach).flatMap(({ username, code }, number) => [
    { kind: 'unknown code', username, code: unknownCode() },
    { kind: 'expired code', ...credentialsOf(expired[number]) },
    { kind: 'used code', username, code },
    { kind: 'wrong user', username, code: credentialsOf(pending[number]).code },
    { kind: 'unknown user', username: `nobody${number}`, code: unknownCode() },
  ])
}

function credentialsOf(holder: Holder | undefined): { username: string; code: string } {
  assert.ok(holder, 'too few users were prepared')
  return { username: holder.username, code: holder.code }
}

function unknownCode(): string {
  return encodeActivationCode(randomBytes(activationCodeBytes))
}

/** In no order, so that whatever else the machine does hits all kinds alike. */
function shuffled<Item>(items: Item[]): Item[] {
  return items
    .map((item) => ({ item, place: randomInt(2 ** 32) }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}
