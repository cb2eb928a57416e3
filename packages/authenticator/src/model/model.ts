// What the screens are told and what they may do: the border between the authenticator's inside and its face. Every member of
// these objects is reactive (Svelte runes behind getters): read them in markup or $derived, never copy them into a variable.
// Texts in here come from the server or are what the user typed; words for people are the screens' own.
import type { ClosedState, DenyReason } from '@countersign/protocol/device-messages.ts'

/** Everything behind the screens; made once, by main.ts. */
export interface Model {
  readonly activation: Activation
  readonly requests: Requests
  readonly tokens: Tokens
  readonly connection: Connection
  readonly notifications: Notifications
  readonly install: Install
  readonly settings: Settings
  /** milliseconds since 1970 on the server's clock, as far as it is known; changes each second */
  readonly now: number
}

/** How the user shows that it is the user. A passcode is a PIN with letters. */
export type Unlock = 'none' | 'pin' | 'passcode' | 'platform'

/** A domain as people know it. Text is shown as it is, never as markup or a link. */
export interface Domain {
  id: string
  name: string
  /** on this origin; never fails while online, a domain without a picture has a built-in one */
  imageUrl: string
}

// ---- activation ----

/** The way to a new key. `step` says which screen; every method does nothing in a step that it does not belong to. */
export interface Activation {
  readonly step: ActivationStep
  /** Shows the code entry, from anywhere. */
  start(): void
  /** What was typed as a code; any case, spaces and dashes do not matter. Goes on to the user name, or to `confirm` after a link. */
  enterCode(typed: string): void
  /** The text of a QR code. False when it is no activation link of this server: go on scanning, or say so. */
  readQr(text: string): boolean
  enterUsername(typed: string): Promise<void>
  /** "Yes, add this key." */
  confirm(): Promise<void>
  /** "No, this isn't me." Forgets code and keys; nothing was used up. */
  decline(): void
  /** A PIN or passcode, typed twice and equal. Refused ones stay in `unlock` with a problem. */
  choosePin(pin: string): Promise<void>
  /** Fingerprint, face or the device's own PIN. Call it from a tap. */
  choosePlatform(): Promise<void>
  /** Sends again what had no answer: in `asking` and `finishing` after a problem. */
  retry(): Promise<void>
  /** One step back: user name → code, unlock → confirm, anything else → idle. */
  back(): void
  /** Leaves `ready` or `refused`. */
  done(): void
}

export type ActivationStep =
  | { at: 'idle' }
  /** the code entry, typed or scanned */
  | { at: 'code' /** to begin with in the field */; code: string; problem?: CodeProblem }
  | { at: 'username'; code: string /** to begin with in the field */; username: string; problem?: CodeProblem }
  /** the server is being asked; with a problem, it did not answer and is asked again by retry() */
  | { at: 'asking'; problem?: SendProblem }
  | { at: 'confirm'; offer: Offer }
  | { at: 'unlock'; offer: Offer; problem?: UnlockProblem; busy: boolean }
  /** keys are stored and the server is told; with a problem, it has not answered yet: it is asked again by itself and by retry() */
  | { at: 'finishing'; offer: Offer; problem?: SendProblem }
  | { at: 'ready'; token: Token }
  /** nothing was added: the code was withdrawn meanwhile, or this phone is full (20 keys) */
  | { at: 'refused'; why: 'withdrawn' | 'too_many_keys' | 'unsupported' | 'other_server' }

/** What the server offers for a code. */
export interface Offer {
  server: { name: string; origin: string }
  domain: Domain
  user: string
  /** in the order in which the domain prefers them; `none` alone: there is no unlock step */
  unlock: Unlock[]
  /** characters of a PIN or passcode */
  minLength: number
  /** milliseconds since 1970: until then it can be finished */
  expiresAt: number
}

export type CodeProblem =
  /** not ten letters and digits of the alphabet; `character`, if one of those typed is no such character (U, for one) */
  | { is: 'malformed'; character?: string }
  /** the server does not know it, or not with this user name, or it is no longer valid: it says these alike */
  | { is: 'unknown' }
  /** a link or QR code of another server */
  | { is: 'other_server'; origin: string }
  | { is: 'too_many_tries'; waitSeconds: number }

/** No answer: no network, or a server that has trouble. */
export type SendProblem = { is: 'offline' } | { is: 'server'; waitSeconds?: number }

export type UnlockProblem =
  | { is: 'too_short'; minLength: number }
  /** easy to guess */
  | { is: 'common' }
  /** the domain wants letters, too, or digits only */
  | { is: 'not_digits' }
  /** the user or the system called fingerprint or face off */
  | { is: 'cancelled' }
  | { is: 'unavailable' }
  /** the server refused it: the domain wants another now, or does not take this phone's */
  | { is: 'not_taken' }

// ---- requests ----

export interface Requests {
  /** what waits for an answer and what has just ended and was not dismissed; newest first */
  readonly all: SignInRequest[]
  /** those of them that wait for an answer; newest first */
  readonly open: SignInRequest[]
  /**
   * The one to show; undefined: the list of keys. It is the newest, but a newer one does not take the place of a result before
   * dismiss(), of an answer on its way, or of one that was chosen by show().
   */
  readonly current: SignInRequest | undefined
  /** more than one waits: at least one is not the user's */
  readonly several: boolean
  /** something came that the server did not confirm ("Don't answer. Tell your administrator."); dismissed by the user */
  readonly unconfirmed: { tid: string; at: number }[]
  dismissUnconfirmed(): void
  /** Shows this one and keeps to it: another open request, or the one that the user has begun to type a number for. */
  show(sid: string): void
  /** Leaves the result of a request that has ended. */
  dismiss(sid: string): void
}

/** One sign-in. Everything but `outcome`, `armed` and `secondsLeft` was in the bytes that the server fixed and that are signed. */
export interface SignInRequest {
  readonly sid: string
  readonly tid: string
  readonly domain: Domain
  readonly user: string
  readonly ip: string | undefined
  /** what the application says, in its order */
  readonly attributes: { name: string; value: string }[]
  readonly via: 'api' | 'radius' | 'panel'
  /** milliseconds since 1970, the server's clock */
  readonly createdAt: number
  readonly expiresAt: number
  /** how many digits the sign-in screen shows; 0: no number is asked for */
  readonly numberLength: number
  readonly unlock: Unlock
  /** whole seconds to answer in, on the server's clock */
  readonly secondsLeft: number
  readonly secondsTotal: number
  /** both buttons may act: 0.7 s after the last rearm() */
  readonly armed: boolean
  readonly outcome: Outcome
  /** Starts the 0.7 s again: call it when the request appears, when the page becomes visible, when a dialog over it closes. */
  rearm(): void
  /** Whether a number is complete; spaces and dashes do not matter. */
  isNumber(typed: string): boolean
  /** Approves. `number` where one is asked for; `pin` where the unlock is pin or passcode; platform asks by itself (from a tap). */
  approve(proof: { number?: string; pin?: string }): Promise<void>
  /** Denies, or takes an approval of the last ten minutes back (`not_me` only). */
  deny(why: DenyReason): Promise<void>
  /** After `failed`, or at once while `sending` says `late`: sends the same answer again. */
  retry(): Promise<void>
}

export type Answer = { is: 'approve' } | { is: 'deny'; why: DenyReason }

/** Where a request stands. */
export type Outcome =
  | { is: 'open'; problem?: RequestProblem }
  /** `late`: the answer has not arrived yet, keep the page open; it is being sent again */
  | { is: 'sending'; answer: Answer; late: boolean }
  /** the server could not answer and nothing was approved */
  | { is: 'failed'; answer: Answer }
  /** until `undoUntil` (milliseconds, the server's clock) deny('not_me') takes it back */
  | { is: 'approved'; at: number; undoUntil: number }
  | { is: 'denied'; at: number; why: DenyReason }
  /** over before this phone answered: answered or called off elsewhere, or the time was up */
  | { is: 'closed'; state: ClosedState }
  /** its time was up before it was known whether the answer arrived; that may still be heard */
  | { is: 'unknown'; answer: Answer }
  /** too many wrong numbers */
  | { is: 'locked'; by: 'number' }
  /** the key has ended, by too many wrong PINs or on the server; its keys are deleted */
  | { is: 'key_ended'; by: 'pin' | 'server' }

export type RequestProblem =
  | { is: 'wrong_number'; remaining: number }
  | { is: 'wrong_pin'; remaining: number }
  /** nothing was sent: type the number first, or the PIN */
  | { is: 'number_missing' }
  | { is: 'pin_missing' }
  /** the domain's rules have changed: this key cannot approve until it is set up again */
  | { is: 'unlock_required' }
  | { is: 'cancelled' }

// ---- keys ----

export interface Tokens {
  readonly all: Token[]
  /** keys that have ended and whose note was not dismissed */
  readonly ended: EndedToken[]
  /** false until the store was read */
  readonly loaded: boolean
  /** the browser has thrown the keys away (storage cleared or evicted): ask for a new code */
  readonly evicted: boolean
  dismissEnded(tid: string): void
  dismissEvicted(): void
}

export interface Token {
  readonly tid: string
  readonly domain: Domain
  readonly user: string
  readonly server: { name: string; origin: string }
  /** what the user calls it; '' for no name */
  readonly name: string
  readonly addedAt: number
  readonly lastUsedAt: number | undefined
  readonly unlock: Unlock
  /** how many characters the PIN or passcode has; 0 without one */
  readonly pinLength: number
  /** characters that a new PIN or passcode needs */
  readonly minLength: number
  readonly state: TokenState
  /** the last 50 requests, newest first */
  readonly history: HistoryEntry[]
  rename(name: string): Promise<void>
  /** what it may be unlocked by from now on; empty: that cannot be changed here. Only what is there already: a new PIN or passcode. */
  readonly unlocks: Exclude<Unlock, 'none'>[]
  /** a change was sent and has no answer yet: retryChange() */
  readonly unconfirmedChange: boolean
  /** why a change that is being sent has no answer yet, after some seconds; retryChange() sends it at once */
  readonly lateChange: SendProblem | undefined
  /** Another unlock, proven by the old one: '' where that is the platform's, which asks by itself. Call it from a tap. */
  changeUnlock(oldPin: string, next: NewUnlock): Promise<ChangeResult>
  /** Sends a change that had no answer again. */
  retryChange(): Promise<ChangeResult>
  /** Removes it here and on the server. */
  remove(): Promise<RemoveResult>
}

export type TokenState =
  | { is: 'active' }
  /** keys are stored, the server has not confirmed yet; it is settled by itself */
  | { is: 'finishing' }
  /** no requests until then (milliseconds, the server's clock) */
  | { is: 'paused'; until: number }
  /** what unlocks it is not what the domain demands now: change the PIN, or ask for a new code */
  | { is: 'unlock_required' }
  /** the server does not know it any more, but has not said that it was ended */
  | { is: 'unknown' }

/** A PIN or passcode, or what unlocks the phone itself. */
export type NewUnlock = { pin: string } | 'platform'

export type ChangeResult =
  | { is: 'done' }
  | { is: 'wrong_pin'; remaining: number }
  | { is: 'refused'; problem: UnlockProblem }
  | { is: 'key_ended' }
  /** may or may not have happened: retryChange() settles it, or the same PINs typed again within ten minutes */
  | { is: 'not_sent'; problem: SendProblem }
  /** may or may not have happened, and the server cannot tell any more: what unlocks it shows at the next request */
  | { is: 'unknown' }
  | { is: 'unsupported' }

export type RemoveResult = { is: 'done' } | { is: 'not_sent'; problem: SendProblem }

export interface EndedToken {
  tid: string
  domain: Domain
  user: string
  name: string
  endedAt: number
  by: 'pin' | 'server' | 'activation'
}

export interface HistoryEntry {
  sid: string
  at: number
  /** what became of it */
  result: 'approved' | 'denied' | 'not_me' | 'cancelled' | 'expired' | 'elsewhere'
  /** the first attributes, as the request had them */
  attributes: { name: string; value: string }[]
  ip: string | undefined
}

// ---- the rest ----

export interface Connection {
  /** `idle`: nobody to ask for (no keys), or the page is hidden; `server`: there is a network, but no proper answer */
  readonly state: 'idle' | 'connecting' | 'online' | 'offline' | 'server'
  /** milliseconds since 1970 of the last answer, also from an earlier visit */
  readonly lastConnectedAt: number | undefined
  /** milliseconds since 1970 of the next try by itself */
  readonly nextTryAt: number | undefined
  /** host name of the server */
  readonly server: string
  /** how far this phone's clock is off, in whole minutes; 0 within a minute. Positive: it is ahead. */
  readonly skewMinutes: number
  /** the server speaks another version: the app must be updated */
  readonly outdated: boolean
  retryNow(): void
}

export interface Notifications {
  /** `unavailable`: this browser has none here, or the server sends none; `off`: not asked yet; `blocked`: only the system's settings help */
  readonly state: 'unavailable' | 'off' | 'on' | 'blocked'
  /** to be asked on the screen after the first key: state is `off` and the user has not said "not now" */
  readonly shouldAsk: boolean
  /** Asks the system; call it from a tap. */
  ask(): Promise<void>
  /** "Not now." */
  later(): void
}

export interface Install {
  /**
   * `installed`: runs from the home screen; `possible`: prompt() shows the system's dialogue; `manual_ios`: explain Share →
   * Add to Home Screen, keys made in the browser stay in the browser; `none`: nothing to offer
   */
  readonly state: 'installed' | 'possible' | 'manual_ios' | 'none'
  prompt(): Promise<void>
}

export type Language = 'en' | 'de'
export type Theme = 'system' | 'light' | 'dark'

/** Kept on this phone. */
export interface Settings {
  readonly language: Language
  readonly theme: Theme
  /** whether the browser has promised not to throw the keys away */
  readonly persisted: boolean
  readonly version: string
  setLanguage(language: Language): void
  setTheme(theme: Theme): void
}
