import type { UnlockMethod } from '@countersign/protocol/device-messages.ts'
import type { TokenRecord, UnlockRecord } from '../store/records.ts'

/** What unlocks a token in this way. While a change is unsettled there may be two ways: the server says which it wants. */
export function unlockBy(record: TokenRecord, method: UnlockMethod): UnlockRecord | undefined {
  return [record.unlock, record.unsettled?.unlock].find((unlock) => unlock?.method === method)
}

/** Whether it is not known which of two PINs counts. */
export function isOfPins({ unlock, unsettled }: TokenRecord): boolean {
  return unlock.method === 'pin' && unsettled?.unlock.method === 'pin'
}

/** The record once it is known what unlocks the token. */
export function settledBy(record: TokenRecord, unlock: UnlockRecord): TokenRecord {
  const { unsettled: _, ...rest } = record
  return { ...rest, unlock }
}

/** The record when a proof was refused: now the other of the two is believed, and neither is forgotten. */
export function doubted(record: TokenRecord): TokenRecord {
  const { unlock, unsettled } = record
  return unsettled ? { ...record, unlock: unsettled.unlock, unsettled: { ...unsettled, unlock } } : record
}
