// What the service worker shows when a push arrives. The browser is played; what is written to its storages stays there.
import assert from 'node:assert/strict'
import { before, beforeEach, it } from 'node:test'
import './support/runes.ts'

const stored = new Map<string, string>()
const cached = new Map<string, Response>()
const shown: { title: string; lang: string | undefined }[] = []
const listeners = new Map<string, (event: object) => void>()
const phone = { language: 'en-GB' }

const browser = {
  __APP_VERSION__: 'test',
  __VERSION__: 'test',
  __FILES__: [],
  localStorage: {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => stored.set(name, value),
  },
  caches: {
    open: async () => ({ put: async (entry: string, response: Response) => cached.set(entry, response) }),
    match: async (entry: string) => cached.get(entry)?.clone(),
  },
  document: { documentElement: { lang: '', dataset: {} } },
  navigator: phone,
  addEventListener: (type: string, listener: (event: object) => void) => listeners.set(type, listener),
  registration: {
    showNotification: async (title: string, { lang }: NotificationOptions) => void shown.push({ title, lang }),
  },
  self: globalThis,
}

/** Delivers a push to the worker, when all is written, and waits for what it has promised to do. */
async function push(): Promise<void> {
  await new Promise(setImmediate)
  const work: Promise<unknown>[] = []
  listeners.get('push')?.({ waitUntil: (promise: Promise<unknown>) => work.push(promise) })
  await Promise.all(work)
}

before(async () => {
  for (const [name, value] of Object.entries(browser)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  }
  await import('../src/sw.ts')
})
beforeEach(() => {
  shown.length = 0
  phone.language = 'en-GB'
})

it('is in the language of the phone until another is chosen in the app, and in that one from then on', async () => {
  const { PhoneSettings } = await import('../src/model/settings.svelte.ts')
  const settings = new PhoneSettings()
  await push()
  settings.setLanguage('de')
  await push()
  phone.language = 'de-AT'
  settings.setLanguage('en')
  await push()
  assert.deepEqual(shown, [
    { title: 'Sign-in request', lang: 'en' },
    { title: 'Anmelde-Anfrage', lang: 'de' },
    { title: 'Sign-in request', lang: 'en' },
  ])
})

it('is in the language that was chosen before notifications knew of it', async () => {
  const { PhoneSettings } = await import('../src/model/settings.svelte.ts')
  stored.set('countersign.language', 'de')
  cached.clear()
  new PhoneSettings()
  await push()
  assert.deepEqual(shown, [{ title: 'Anmelde-Anfrage', lang: 'de' }])
})
