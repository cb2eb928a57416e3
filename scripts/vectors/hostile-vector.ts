// What a hostile vector is, and how most of them are made: the right answer with one thing changed.
import { firstAnswer } from './messages.ts'
import { header, type KeyName, sign, tids } from './world.ts'

export interface HostileVector {
  /** the attack case it belongs to */
  attack: string
  name: string
  /** the operation whose endpoint receives it */
  op: 'answer' | 'sync' | 'activate'
  jws: string
  /** code of the refusal; 'accepted' when the message is odd but right */
  expect: string
}

/** The header of the right answer. */
export const right = header('answer', tids.active)

interface Variant {
  header?: object | Uint8Array
  payload?: unknown
  key?: KeyName
}

/** The right answer with another header, payload or signer. */
export async function answer(attack: string, name: string, expect: string, variant: Variant): Promise<HostileVector> {
  const jws = await sign(variant.key ?? 'device', variant.header ?? right, variant.payload ?? firstAnswer)
  return { attack, name, op: 'answer', jws, expect }
}

/** A number as 32 bytes. */
export function big(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
}
