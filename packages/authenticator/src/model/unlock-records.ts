import type { UnlockMethod } from '@countersign/protocol/device-messages.ts'
import type { ChangeId, TokenRecord, UnlockRecord } from '../store/records.ts'

/** Whatever may unlock a token: what is believed first, then what changes without an answer have left open. */
function candidates({ unlock, unsettled }: TokenRecord): UnlockRecord[] {
  return unsettled ? [unlock, unsettled.unlock, ...(unsettled.others ?? [])] : [unlock]
}

/** What unlocks a token in this way. While a change is unsettled there may be two ways: the server says which it wants. */
export function unlockBy(record: TokenRecord, method: UnlockMethod): UnlockRecord | undefined {
  return candidates(record).find((unlock) => unlock.method === method)
}

/** Whether it is not known which of two PINs counts. */
export function isOfPins({ unlock, unsettled }: TokenRecord): boolean {
  return unlock.method === 'pin' && unsettled?.unlock.method === 'pin'
}

/** The record before a change is sent: nothing that an earlier one may have made valid is forgotten. */
export function withChange(record: TokenRecord, unlock: UnlockRecord, id?: ChangeId): TokenRecord {
  const others = candidates(record)
    .slice(1)
    .filter((other) => !isAlike(other, unlock))
  return { ...record, unsettled: { unlock, ...(id && { id }), ...(others.length > 0 && { others }) } }
}

/** The record when the change under way was signed anew. */
export function withId(record: TokenRecord, id: ChangeId): TokenRecord {
  return record.unsettled?.id?.jti === id.jti ? { ...record, unsettled: { ...record.unsettled, id } } : record
}

/** The record when a change is known not to have happened. */
export function withoutChange(record: TokenRecord): TokenRecord {
  const { unsettled, ...rest } = record
  const [unlock, ...others] = unsettled?.others ?? []
  return unlock ? withRest(rest, [rest.unlock, unlock, ...others]) : rest
}

/** The record when the server cannot tell any more what became of a change. */
export function withUnknown(record: TokenRecord, unlock: UnlockRecord): TokenRecord {
  return record.unsettled ? withRest(record, candidates(record)) : withChange(record, unlock)
}

/** The record once it is known what unlocks the token. */
export function settledBy(record: TokenRecord, unlock: UnlockRecord): TokenRecord {
  const { unsettled: _, ...rest } = record
  return { ...rest, unlock }
}

/** The record when a proof by this method was refused: now another is believed where there is one, and none is forgotten. */
export function doubted(record: TokenRecord, method: UnlockMethod): TokenRecord {
  const all = candidates(record)
  const wrong = all.find((unlock) => unlock.method === method)
  return wrong ? withRest(record, [...all.filter((unlock) => unlock !== wrong), wrong]) : record
}

/** The record when a proof by this method was wrong: one of another method may still be right, and is not believed for that. */
export function doubtedAmong(record: TokenRecord, method: UnlockMethod): TokenRecord {
  const alike = candidates(record).filter((unlock) => unlock.method === method)
  return alike.length > 1 ? doubted(record, method) : record
}

/** Whether another method than the believed one may be what unlocks the token. */
export function mayBeOtherwise(record: TokenRecord): boolean {
  return candidates(record).some(({ method }) => method !== record.unlock.method)
}

function withRest(record: TokenRecord, all: UnlockRecord[]): TokenRecord {
  const { unsettled: _, ...rest } = record
  const [unlock = record.unlock, next, ...others] = all
  return { ...rest, unlock, ...(next && { unsettled: { unlock: next, ...(others.length > 0 && { others }) } }) }
}

// All PINs of a token have salt and mixKey in common: they differ in how they are asked for.
function isAlike(one: UnlockRecord, other: UnlockRecord): boolean {
  return one.method === 'pin' && other.method === 'pin' && one.kind === other.kind && one.length === other.length
}
