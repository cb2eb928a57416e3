import type { DenyReason, PushSubscription } from '@countersign/protocol/device-messages.ts'
import {
  type ActivationChoice,
  beginActivation,
  isFinal,
  type PendingActivation,
  type PreparedActivation,
  prepareActivation,
  sendActivation,
} from './device-activation.ts'
import { type Answered, type Approval, approve, deny } from './device-answer.ts'
import type { SignInRequest } from './device-challenge.ts'
import { changeFactor, type FactorChange, removeToken, rotateKey, updatePush } from './device-changes.ts'
import { isDeviceError } from './device-errors.ts'
import { type Device, tokensOf } from './device-send.ts'
import type { DeviceStore, StoredToken } from './device-store.ts'
import { type Shown, type SyncOptions, type SyncOutcome, sync } from './device-sync.ts'
import { retryDelaysMs } from './retry.ts'

export type { ActivationChoice, PendingActivation } from './device-activation.ts'
export type { Answered, Approval } from './device-answer.ts'
export type { ChallengeProblem, SignInRequest } from './device-challenge.ts'
export type { FactorChange } from './device-changes.ts'
export { DeviceError, isDeviceError, isUndecided } from './device-errors.ts'
export { type DeviceStore, memoryStore, type StoredToken } from './device-store.ts'
export type { SyncOptions, SyncOutcome } from './device-sync.ts'
export { isCommonPin, type Unlock } from './device-unlock.ts'

/** Which server an authenticator talks to, and what it may use. */
export interface AuthenticatorOptions {
  /** the server's device origin, such as https://mfa.example.org */
  server: string
  store: DeviceStore
  fetch?: typeof fetch
  /** milliseconds since 1970 */
  now?: () => number
  random?: (bytes: number) => Uint8Array<ArrayBuffer>
  /** the pauses between repetitions of a message that got no answer */
  retryDelaysMs?: readonly number[]
}

/**
 * An authenticator for one server: it activates tokens, shows what waits for an answer, and answers. Tokens live in the
 * store; the object itself only remembers what is on the screen. Every method throws DeviceError; when the server says
 * `token_revoked`, the token's keys are erased first.
 */
export class Authenticator {
  readonly #device: Device
  readonly #shown: Shown = new Map()
  readonly #prepared = new WeakMap<PendingActivation, PreparedActivation>()

  constructor(options: AuthenticatorOptions) {
    this.#device = {
      transport: {
        origin: new URL(options.server).origin,
        fetch: options.fetch ?? globalThis.fetch,
        retryDelaysMs: options.retryDelaysMs ?? retryDelaysMs,
      },
      store: options.store,
      now: options.now ?? Date.now,
      random: options.random ?? ((bytes) => crypto.getRandomValues(new Uint8Array(bytes))),
    }
  }

  /** The tokens of this server. */
  tokens(): Promise<StoredToken[]> {
    return tokensOf(this.#device)
  }

  /** Presents an activation code with the user's name, or with the secret of a QR code. Nothing is used up yet. */
  begin(code: string, proof: { username: string } | { secret: string }): Promise<PendingActivation> {
    return beginActivation(this.#device, code, proof)
  }

  /**
   * Makes the keys, stores them and activates the token. `factor_required` and `token_revoked` erase the keys. After
   * `activation_failed` they are kept until `sync` has settled whether an earlier message, whose answer was lost, has activated
   * the token. After anything else call it again with the same pending activation: the identical message is sent, so a lost
   * answer costs nothing.
   */
  async finish(pending: PendingActivation, choice: ActivationChoice): Promise<StoredToken> {
    const prepared = this.#prepared.get(pending) ?? (await prepareActivation(this.#device, pending, choice))
    this.#prepared.set(pending, prepared)
    try {
      return await sendActivation(this.#device, prepared)
    } catch (error) {
      if (isFinal(error)) this.#prepared.delete(pending)
      throw error
    }
  }

  /** What waits for an answer, over all tokens in one request. Returns at once when there is news, else after `waitSeconds`. */
  sync(options?: SyncOptions): Promise<SyncOutcome> {
    return sync(this.#device, this.#shown, options)
  }

  /** Approves a request that `sync` returned. */
  approve(request: SignInRequest, approval?: Approval): Promise<Answered> {
    return this.#answer(request, approve(this.#device, request, approval))
  }

  /** Denies a request that `sync` returned: by mistake, or because it is not the user's. */
  deny(request: SignInRequest, why: DenyReason): Promise<Answered> {
    return this.#answer(request, deny(this.#device, request, why))
  }

  /** Changes the PIN or passcode of a token. */
  changeFactor(tid: string, change: FactorChange): Promise<void> {
    return changeFactor(this.#device, tid, change)
  }

  /** Replaces the signing key of a token. */
  rotateKey(tid: string, proof?: { pin?: string }): Promise<void> {
    return rotateKey(this.#device, tid, proof)
  }

  /** Stores a push subscription, or with null erases it. */
  updatePush(tid: string, push: PushSubscription | null): Promise<void> {
    return updatePush(this.#device, tid, push)
  }

  /** Gives a token up, on the server and here. */
  remove(tid: string): Promise<void> {
    return removeToken(this.#device, tid)
  }

  async #answer(request: SignInRequest, sent: Promise<Answered>): Promise<Answered> {
    try {
      const answered = await sent
      this.#shown.delete(request.sid)
      return answered
    } catch (error) {
      // Whatever else went wrong, the request still waits and may be answered again.
      if (isDeviceError(error, 'session_closed', 'unknown_session', 'token_revoked')) this.#shown.delete(request.sid)
      throw error
    }
  }
}
