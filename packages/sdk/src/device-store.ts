import type { Policy } from '@countersign/protocol/device-messages.ts'
import type { StoredMixKey, StoredSigningKey } from './device-keys.ts'

/**
 * Where an authenticator keeps its tokens. It is read before every operation and written before anything that depends on
 * it is sent, so that a crash loses no key and two programs may use one store.
 */
export interface DeviceStore {
  /** true: records must be plain JSON, so keys are made extractable; false: the store holds CryptoKeys (IndexedDB) */
  readonly exportable: boolean
  load(): Promise<StoredToken[]>
  /**
   * Writes what `change` makes of the token with this tid, or removes it when that is undefined. Reading and writing are
   * one step that no other program comes between, and when the promise is fulfilled the change would survive a crash.
   */
  update(tid: string, change: (token: StoredToken | undefined) => StoredToken | undefined): Promise<void>
}

/** What is kept of a token whatever its state. */
export interface TokenRecord {
  tid: string
  /** the server's device origin, the only one that the token answers to */
  aud: string
  server: { name: string }
  domain: { id: string; name: string }
  user: string
  key: StoredSigningKey
  /** a new key that the server was offered, as long as it is not known whether it took it */
  nextKey?: OfferedKey
  /** what a PIN or passcode is mixed with; nothing here can tell a right PIN from a wrong one */
  pin?: StoredPin
  policy: Policy
  /** the server's VAPID key, for push subscriptions */
  vapid?: string
  /** what to add to the own clock to have the server's */
  clockOffsetSeconds: number
}

/** A token of this device. While `activating`, it is not known whether the server has seen the key. */
export type StoredToken = TokenRecord & ({ state: 'active' } | { state: 'activating'; expires: number })

/** A key in a rotation that was sent; the message is worthless some minutes after `iat`. */
export interface OfferedKey {
  key: StoredSigningKey
  iat: number
}

/** The device's part of a PIN. `kind` and `len` only choose the keyboard. */
export interface StoredPin {
  kind: 'pin' | 'passcode'
  len: number
  /** base64url of 16 random bytes */
  salt: string
  mixKey: StoredMixKey
}

/** A store that forgets everything with the process: for tests and for trying things out. */
export function memoryStore(): DeviceStore {
  const tokens = new Map<string, StoredToken>()
  return {
    exportable: false,
    load: async () => [...tokens.values()],
    update: async (tid, change) => {
      const token = change(tokens.get(tid))
      if (token) tokens.set(tid, token)
      else tokens.delete(tid)
    },
  }
}
