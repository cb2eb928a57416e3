import assert from 'node:assert/strict'
import './runes.ts'
import { registrationChallenge, unlockBinding } from '@countersign/protocol/unlock.ts'
import type { TestServer } from '../../../server/test/support/server.ts'
import type { Lies, SoftAuthenticator } from '../../../server/test/support/webauthn.ts'
import type { Model, SignInRequest, Token } from '../../src/model/model.ts'
import type { OpenModel } from '../../src/model/open-model.ts'
import type { PlatformUnlocking } from '../../src/model/platform-unlocking.ts'
import type { Push } from '../../src/model/surroundings.ts'
import { openTabs } from '../../src/model/tabs.ts'
import { ServerClock } from '../../src/protocol/clock.ts'
import { sleep } from '../../src/protocol/sleep.ts'
import type { Facts } from '../../src/store/records.ts'
import { codeFor } from './asking.ts'
import { memoryStore } from './memory-store.ts'

export { askFor, codeFor, domainOf } from './asking.ts'

const { openModel } = await import('../../src/model/open-model.ts')

/** What the network does to a phone. */
interface Network {
  /** nothing gets through, and what is under way is broken off */
  down: boolean
  /** the next so many answers to these paths arrive at nobody: the server has acted on the message */
  loseReplies: number
  /** only these are lost, by path and status; all by default */
  losing: RegExp
  /** what is sent to these paths leaves only then */
  held: { paths: RegExp; until: Promise<void> } | undefined
  /** every body that was sent, with its path */
  sent: { path: string; body: string }[]
}

export interface PhoneOptions {
  clockAheadMs?: number
  push?: Push
  /** what reads fingerprints, and what it makes up */
  finger?: { authenticator: SoftAuthenticator; lies?: Lies }
}

/** A phone: the model on a store that outlives it. */
export interface Phone {
  model: Model
  store: ReturnType<typeof memoryStore>
  network: Network
  /** The page is closed and opened again, perhaps by a link. */
  reopen(link?: string): Promise<Model>
  /** Another tab on the same store. */
  secondTab(): Promise<Model>
  close(): void
}

let phones = 0

/** Opens the model against a real server. Pauses are cut short: a test has no time for them. */
export async function openPhone(server: TestServer, options: PhoneOptions = {}): Promise<Phone> {
  const store = memoryStore()
  const network = openNetwork()
  const channel = `phone-${phones++}`
  const marks = { hadKeys: false }
  const lock = oneAtATime()
  const platform = platformOf(options)
  const open = async (link?: string) => {
    const { readLink } = await import('../../src/link.ts')
    const facts: Partial<Facts> = await store.facts()
    const page = { closed: false }
    const local = () => server.clock.now() + (options.clockAheadMs ?? 0)
    const inside = {
      client: {
        transport: {
          origin: server.deviceUrl,
          fetch: whileOpen(page, fetchOver(network)),
          sleep: whileOpen(page, (ms: number, signal?: AbortSignal) => sleep(Math.min(ms, 5), signal)),
          random: () => 0.5,
        },
        clock: new ServerClock(local, facts.clockOffsetMs),
      },
      ...{ store, tabs: tabsOf(page, channel), page: pageOf(marks, lock), push: options.push ?? noPush },
      platform,
    }
    const parts = { facts, install: noInstall, settings: plainSettings, link: link ? readLink(link) : undefined }
    const model = await openModel(inside, parts)
    return Object.assign(model, { close: closing(page, model) })
  }
  const opened: OpenModel[] = [await open()]
  const phone: Phone = {
    get model() {
      return opened[0] as Model
    },
    ...{ store, network },
    async reopen(link) {
      opened.shift()?.close()
      opened.unshift(await open(link))
      return phone.model
    },
    async secondTab() {
      const tab = await open()
      opened.push(tab)
      return tab
    },
    close: () => {
      for (const model of opened) model.close()
    },
  }
  return phone
}

/** Waits until something is so; the model works in the background, as on a phone. */
export async function until<Value>(what: () => Value | undefined | false, patienceMs = 8_000): Promise<Value> {
  for (const start = performance.now(); performance.now() - start < patienceMs; ) {
    const value = what()
    if (value) return value
    await sleep(3)
  }
  throw new Error(`It never came to this: ${what}`)
}

/** Activates a token by a typed code. */
export async function enrol(server: TestServer, phone: Phone, pin?: string, inDomain?: string): Promise<Token> {
  const { activation } = phone.model
  const { domainId, pinDomainId } = server.acme
  activation.start()
  activation.enterCode(await codeFor(server, inDomain ?? (pin === undefined ? domainId : pinDomainId)))
  await activation.enterUsername('alice')
  await activation.confirm()
  if (pin !== undefined) await activation.choosePin(pin)
  const step = activation.step
  if (step.at !== 'ready') throw new Error(`Not activated but ${JSON.stringify(step)}`)
  activation.done()
  return step.token
}

/** The request as the phone shows it, when its buttons act. */
export function shown(phone: Phone, sid: string): Promise<SignInRequest> {
  return until(() => phone.model.requests.all.find((request) => request.sid === sid && request.armed))
}

/** What a page has begun ends with it: nothing comes of it any more. */
function whileOpen<Args extends unknown[], Result>(
  page: { closed: boolean },
  work: (...args: Args) => Promise<Result>,
) {
  const unlessClosed = <Value>(then: () => Value) => (page.closed ? new Promise<never>(() => {}) : then())
  return (...args: Args): Promise<Result> =>
    Promise.resolve(unlessClosed(() => work(...args))).then(
      (result) => unlessClosed(() => result),
      (error: unknown) => unlessClosed(() => Promise.reject(error)),
    )
}

function tabsOf(page: { closed: boolean }, channel: string) {
  const tabs = openTabs(channel)
  return { ...tabs, tell: (message: Parameters<typeof tabs.tell>[0]) => void (page.closed || tabs.tell(message)) }
}

function closing(page: { closed: boolean }, model: OpenModel): () => void {
  const close = model.close.bind(model)
  return () => {
    page.closed = true
    close()
  }
}

function openNetwork(): Network & { cut: AbortController } {
  let down = false
  return {
    ...{ loseReplies: 0, losing: /./, held: undefined, sent: [] },
    cut: new AbortController(),
    get down() {
      return down
    },
    set down(is) {
      down = is
      this.cut.abort()
      this.cut = new AbortController()
    },
  }
}

function fetchOver(network: Network & { cut: AbortController }): typeof fetch {
  return async (input, init = {}) => {
    const path = new URL(String(input)).pathname.replace('/device/v1', '')
    if (typeof init.body === 'string') network.sent.push({ path, body: init.body })
    if (network.held?.paths.test(path)) await network.held.until
    if (network.down) throw new TypeError('fetch failed')
    const signal = AbortSignal.any([network.cut.signal, ...(init.signal ? [init.signal] : [])])
    const response = await fetch(input, { ...init, signal })
    if (network.loseReplies === 0 || !network.losing.test(`${path} ${response.status}`)) return response
    network.loseReplies--
    await response.arrayBuffer()
    throw new TypeError('terminated')
  }
}

function oneAtATime() {
  let turn: Promise<void> = Promise.resolve()
  return (signal: AbortSignal, work: () => Promise<void>) => {
    const over = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    const mine = turn.then(() => (signal.aborted ? undefined : Promise.race([work(), over])))
    turn = mine.catch(() => {})
    return mine
  }
}

function pageOf(marks: { hadKeys: boolean }, lead: (signal: AbortSignal, work: () => Promise<void>) => Promise<void>) {
  return {
    visible: true,
    online: true,
    onChange: () => {},
    lead,
    persist: async () => true,
    describe: (persisted: boolean) => ({ name: 'Test phone', platform: 'test', app: 'test/1', persisted }),
    get hadKeys() {
      return marks.hadKeys
    },
    set hadKeys(had) {
      marks.hadKeys = had
    },
  }
}

function platformOf({ finger }: PhoneOptions): PlatformUnlocking {
  const reader = () => finger?.authenticator ?? assert.fail('Nothing here reads fingerprints')
  const made = new Map<string, SoftAuthenticator>()
  return {
    available: async () => finger !== undefined,
    async register(token) {
      const reg = reader().register(await registrationChallenge(token), finger?.lies)
      const unlock = { method: 'platform' as const, credentialId: String(reg.id), transports: [] }
      made.set(unlock.credentialId, reader())
      return { unlock, factor: { m: 'webauthn', reg } }
    },
    async prove({ credentialId }, binding) {
      const authenticator = made.get(credentialId) ?? assert.fail('Nothing here has this credential')
      return { m: 'webauthn', resp: authenticator.assert(await unlockBinding(binding)) }
    },
  }
}

export const noPush = {
  permission: 'unavailable' as const,
  current: async () => undefined,
  subscribe: async () => undefined,
  unsubscribe: async () => {},
}
const noInstall = { state: 'none' as const, prompt: async () => {} }
const plainSettings = {
  ...({ language: 'en', theme: 'system' } as const),
  ...{ persisted: false, version: 'test', setLanguage: () => {}, setTheme: () => {}, notePersisted: () => {} },
}
