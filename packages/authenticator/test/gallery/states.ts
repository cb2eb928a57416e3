// Every screen in every state, by name. Those that the design drew have its names.
import type { Component } from 'svelte'
import Approved from '../../src/screens/Approved.svelte'
import Code from '../../src/screens/Code.svelte'
import Confirm from '../../src/screens/Confirm.svelte'
import InstallHint from '../../src/screens/InstallHint.svelte'
import KeyDetail from '../../src/screens/KeyDetail.svelte'
import KeyEnded from '../../src/screens/KeyEnded.svelte'
import KeyList from '../../src/screens/KeyList.svelte'
import Notifications from '../../src/screens/Notifications.svelte'
import PasscodeChoose from '../../src/screens/PasscodeChoose.svelte'
import PinChoose from '../../src/screens/PinChoose.svelte'
import PlatformSetUp from '../../src/screens/PlatformSetUp.svelte'
import Ready from '../../src/screens/Ready.svelte'
import Request from '../../src/screens/Request.svelte'
import Results from '../../src/screens/Results.svelte'
import Scan from '../../src/screens/Scan.svelte'
import Settings from '../../src/screens/Settings.svelte'
import Unlock from '../../src/screens/Unlock.svelte'
import UnlockChoice from '../../src/screens/UnlockChoice.svelte'
import UserName from '../../src/screens/UserName.svelte'
import Waiting from '../../src/screens/Waiting.svelte'
import Welcome from '../../src/screens/Welcome.svelte'
import { de } from '../../src/words/de.ts'
import { en, type Words } from '../../src/words/en.ts'
import {
  ended,
  history,
  longHistory,
  longNamed,
  manyAttributes,
  northfield,
  now,
  offer,
  request,
  token,
  tokens,
  troubledTokens,
} from './fixtures.ts'

export type Shown = 'en' | 'de'

export interface GalleryState {
  mount: (into: (component: Component, props: object) => void, language: Shown) => void
  /** What gets the focus, as if it had been tapped. */
  focus?: string
  /** With the keyboard of the phone open. */
  keyboard?: boolean
}

const dictionaries = { en, de }
const nothing = () => {}
const asked = { now, onapprove: () => heard.push('approve'), ondeny: () => heard.push('deny') }
const pin = { length: 6, isWeak: () => false, onpin: nothing, onplatform: nothing, onback: nothing }
const choice = { methods: ['pin' as const, 'platform' as const], onchoose: nothing, onback: nothing }
const unlock = {
  domain: northfield,
  user: 'anna.keller',
  about: 'Wiki · 203.0.113.24',
  onsecret: nothing,
  onback: nothing,
}
const code = { oncode: nothing, onscan: nothing, onback: nothing }
const list = { now, onkey: nothing, onadd: nothing, onsettings: nothing }
const key = { now, onback: nothing, onrename: nothing, onchange: nothing, onremove: nothing }

/** What was pressed that answers, for tests. */
export const heard: string[] = []

export const states: Record<string, GalleryState> = {
  install: show(InstallHint, { onlanguage: nothing, onlater: nothing }),
  'install-prompt': show(InstallHint, { oninstall: nothing, onlanguage: nothing, onlater: nothing }),
  welcome: show(Welcome, { onscan: nothing, ontype: nothing, onlanguage: nothing }),
  'welcome-add': show(Welcome, { onscan: nothing, ontype: nothing, onlanguage: nothing, onback: nothing }),
  scan: show(Scan, { watching: () => undefined, ontype: nothing, onback: nothing }),
  'scan-foreign': show(Scan, { watching: () => undefined, foreign: true, ontype: nothing, onback: nothing }),
  'scan-no-camera': show(Scan, { watching: () => undefined, noCamera: true, ontype: nothing, onback: nothing }),
  code: { ...show(Code, { ...code, code: 'K7M4Q9T' }), focus: '#code' },
  'code-complete': show(Code, { ...code, code: 'K7M4Q9TWXD' }),
  'code-error': refusedCode((words) => words.refused.withdrawn),
  'code-wrong': refusedCode((words) => words.code.wrong),
  'code-too-many': refusedCode(({ code: { tooMany } }) => ({ title: tooMany.title, text: tooMany.text(15) })),
  'user-name': show(UserName, { onname: nothing, onback: nothing }),
  'user-name-wrong': say(UserName, ({ code: { unknown } }) => ({
    name: 'anna.keler',
    problem: unknown,
    onname: nothing,
    onback: nothing,
  })),
  confirm: show(Confirm, { offer, phone: 'Pixel 9, Chrome', onyes: nothing, onno: nothing }),
  waiting: show(Waiting, { at: 'asking', onretry: nothing, onback: nothing }),
  'waiting-unsent': show(Waiting, { at: 'finishing', problem: { is: 'offline' }, onretry: nothing }),
  'unlock-choice': show(UnlockChoice, { methods: ['pin', 'passcode', 'platform'], onchoose: nothing, onback: nothing }),
  'unlock-choice-refused': show(UnlockChoice, {
    methods: ['passcode', 'platform'],
    refused: true,
    onchoose: nothing,
    onback: nothing,
  }),
  pin: show(PinChoose, { ...pin, value: '4829' }),
  'pin-repeat': show(PinChoose, { ...pin, first: '482917', value: '48' }),
  'pin-weak': show(PinChoose, { ...pin, problem: 'weak' }),
  'pin-differs': show(PinChoose, { ...pin, problem: 'differs' }),
  passcode: show(PasscodeChoose, { minLength: 8, onpasscode: nothing, onback: nothing }),
  platform: show(PlatformSetUp, { onstart: nothing, onpin: nothing, onback: nothing }),
  'platform-failed': show(PlatformSetUp, { failed: true, onstart: nothing, onpin: nothing, onback: nothing }),
  notifications: show(Notifications, { onallow: nothing, onlater: nothing }),
  'notifications-refused': show(Notifications, { refused: true, onallow: nothing, onlater: nothing }),
  ready: show(Ready, { ondone: nothing }),

  list: show(KeyList, { ...list, tokens }),
  'list-troubled': show(KeyList, { ...list, tokens: troubledTokens, ended, onnotify: nothing }),
  'list-clock-off': show(KeyList, { ...list, tokens, clockOff: 7, onload: nothing }),
  'server-silent': show(KeyList, { ...list, tokens, offline: { lastAt: now, server: true }, onretry: nothing }),
  offline: show(KeyList, { ...list, tokens, offline: { lastAt: now }, onretry: nothing }),
  key: show(KeyDetail, { ...key, token: token() }),
  'key-paused': show(KeyDetail, {
    ...key,
    token: token({ name: 'Work', history: longHistory, state: { is: 'paused', until: now + 3_600_000 } }),
  }),
  'key-new': show(KeyDetail, { ...key, token: token({ history: [], domain: longNamed }), onchange: undefined }),
  'key-rename': show(KeyDetail, { ...key, token: token(), sheet: 'rename' }),
  'key-remove': show(KeyDetail, { ...key, token: token({ history }), sheet: 'remove' }),
  'change-pin': say(Unlock, (words) => ({ ...unlock, method: 'pin' as const, bar: words.key.changePin })),
  'change-choice': say(UnlockChoice, (words) => ({ ...choice, bar: words.key.changeUnlock })),
  'change-unsent': say(Waiting, (words) => ({
    at: 'changing' as const,
    bar: words.key.changeUnlock,
    problem: { is: 'offline' as const },
    onretry: nothing,
    onback: nothing,
  })),
  'change-unknown': show(Results, { kind: 'changeUnknown', ondone: nothing }),
  settings: show(Settings, {
    theme: 'system',
    version: '0.1.0',
    server: 'auth.northfield.example',
    persisted: false,
    ontheme: nothing,
    onlanguage: nothing,
    onback: nothing,
  }),

  request: ask({}),
  'request-typing': { ...ask({}, { number: '482', folded: true }), focus: '#number', keyboard: true },
  'request-ready': ask({}, { number: '482917' }),
  'request-unarmed': ask({ armed: false }, { number: '482917' }),
  'request-wrong': ask({ outcome: { is: 'open', problem: { is: 'wrong_number', remaining: 2 } } }),
  'request-no-number': ask({ numberLength: 0 }),
  'request-many': ask({ attributes: manyAttributes, domain: longNamed }),
  'request-several': ask({}, { waiting: 2 }),
  'request-proof-wrong': ask(
    { outcome: { is: 'open', problem: { is: 'wrong_pin', remaining: 1 } } },
    { number: '482917' },
  ),
  'request-unlock-required': ask({ outcome: { is: 'open', problem: { is: 'unlock_required' } } }),
  'request-last': ask({ secondsLeft: 9 }, { number: '4829' }),
  'request-unsent': ask({ outcome: { is: 'sending', answer: { is: 'approve' }, late: true } }, { number: '482917' }),
  deny: ask({}, { denying: true }),
  unlock: show(Unlock, { ...unlock, method: 'pin', value: '48' }),
  'unlock-wrong': show(Unlock, { ...unlock, method: 'pin', triesLeft: 3 }),
  'unlock-last': show(Unlock, { ...unlock, method: 'pin', triesLeft: 1 }),
  'unlock-passcode': show(Unlock, { ...unlock, method: 'passcode', triesLeft: 3 }),
  'request-called-off': ask({ outcome: { is: 'open', problem: { is: 'cancelled' } } }, { number: '482917' }),
  approved: {
    mount: (into, language) =>
      into(...pair(Approved, { request: request(language), at: now - 4000, ondone: nothing, onnotme: nothing })),
  },
  'approval-unknown': show(Results, { kind: 'approvalUnknown', ondone: nothing }),
  'take-back-unknown': show(Results, { kind: 'takeBackUnknown', ondone: nothing }),
  'denial-unknown': show(Results, { kind: 'denialUnknown', ondone: nothing }),
  'denied-by-mistake': show(Results, { kind: 'denied', ondone: nothing }),
  denied: show(Results, { kind: 'blocked', ondone: nothing }),
  'denied-late': show(Results, { kind: 'blockedLate', ondone: nothing }),
  'wrong-numbers': show(Results, { kind: 'wrongNumbers', ondone: nothing }),
  'time-up': show(Results, { kind: 'timeUp', ondone: nothing }),
  elsewhere: show(Results, { kind: 'elsewhere', ondone: nothing }),
  cancelled: show(Results, { kind: 'cancelled', ondone: nothing }),
  'not-confirmed': show(Results, { kind: 'notConfirmed', ondone: nothing }),
  'server-error': show(Results, { kind: 'serverError', ondone: nothing }),
  refused: show(Results, { kind: 'unsupported', ondone: nothing }),
  'key-ended': show(KeyEnded, { why: 'pin', domain: 'northfield.example', user: 'anna.keller', ondone: nothing }),
  'key-revoked': show(KeyEnded, { why: 'server', domain: 'northfield.example', user: 'anna.keller', ondone: nothing }),
  'keys-gone': show(Results, { kind: 'gone', ondone: nothing }),
}

function show<Props extends object>(
  component: (internals: never, props: Props) => unknown,
  props: NoInfer<Props>,
): GalleryState {
  return { mount: (into) => into(...pair(component, props)) }
}

/** The same with props that are words. */
function say<Props extends object>(
  component: (internals: never, props: Props) => unknown,
  props: (words: Words) => NoInfer<Props>,
): GalleryState {
  return { mount: (into, language) => into(...pair(component, props(dictionaries[language]))) }
}

function refusedCode(problem: (words: Words) => { title: string; text: string }): GalleryState {
  return say(Code, (words) => ({ ...code, code: 'K7M4Q9TWXD', problem: problem(words) }))
}

function ask(
  differences: Parameters<typeof request>[1],
  props: { number?: string; folded?: boolean; waiting?: number; denying?: boolean } = {},
): GalleryState {
  return {
    mount: (into, language) => into(...pair(Request, { ...asked, ...props, request: request(language, differences) })),
  }
}

/** One shape for all: that the props are those of the component was checked by who calls. */
function pair(component: unknown, props: object): [Component, object] {
  return [component as Component, props]
}
