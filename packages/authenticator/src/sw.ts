/// <reference lib="webworker" />
// The service worker: the app opens without a network, and a notification is shown when a request waits. It knows no keys and
// speaks to nobody.
import { keptLanguage } from './kept-language.ts'

declare const self: ServiceWorkerGlobalScope

const cacheName = `countersign-${__VERSION__}`
const apiPath = '/device/'
const inboxPath = '/#/inbox'

const words = {
  en: { title: 'Sign-in request', body: 'Open to review' },
  de: { title: 'Anmelde-Anfrage', body: 'Zum Prüfen öffnen' },
}

self.addEventListener('install', (event) => event.waitUntil(fill()))
self.addEventListener('activate', (event) => event.waitUntil(dropOldVersions()))
self.addEventListener('fetch', (event) => {
  const answer = answerTo(event.request)
  if (answer) event.respondWith(answer())
})
self.addEventListener('message', (event) => {
  if (event.data?.kind === 'take over') event.waitUntil(takeOver())
})
self.addEventListener('push', (event) => event.waitUntil(fixedText().then(show)))
self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(openInbox())
})
self.addEventListener('pushsubscriptionchange', (event) => {
  // Some browsers say so without being in TypeScript's map of events.
  if (event instanceof ExtendableEvent) event.waitUntil(renew(event))
})

// Not skipWaiting() here: a new version is taken when the app is opened next, never in the middle of a request.
async function fill(): Promise<void> {
  const cache = await caches.open(cacheName)
  await cache.addAll(__FILES__.map((path) => new Request(path, { cache: 'no-cache' })))
}

/** Asked for by a page that has only just begun; not while another is open. */
async function takeOver(): Promise<void> {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
  if (pages.length === 1) await self.skipWaiting()
}

async function dropOldVersions(): Promise<void> {
  const names = await caches.keys()
  const old = names.filter((name) => name.startsWith('countersign-') && name !== cacheName)
  await Promise.all(old.map((name) => caches.delete(name)))
  // The page of the very first visit is served from here on, too.
  await self.clients.claim()
}

/** How to answer instead of the network, or undefined to leave it to that. */
function answerTo(request: Request): (() => Promise<Response>) | undefined {
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return undefined
  if (/^\/device\/v1\/domains\/[0-9a-f]+\/image$/.test(pathname)) return () => picture(request)
  if (pathname.startsWith(apiPath)) return undefined
  return request.mode === 'navigate' ? page : () => file(request)
}

async function page(): Promise<Response> {
  return (await caches.match('/', { cacheName })) ?? fetch('/')
}

async function file(request: Request): Promise<Response> {
  const known = await caches.match(request, { cacheName, ignoreSearch: true })
  if (known) return known
  const fresh = await fetch(request)
  // What is not needed at first (the reader of QR codes): kept from its first use on.
  if (fresh.ok && new URL(request.url).pathname.startsWith('/assets/')) await keep(request, fresh.clone())
  return fresh
}

// The picture as it is now, and as it was where there is no network.
async function picture(request: Request): Promise<Response> {
  try {
    const fresh = await fetch(request)
    if (fresh.ok) await keep(request, fresh.clone())
    return fresh
  } catch {
    return (await caches.match(request, { cacheName })) ?? Response.error()
  }
}

async function keep(request: Request, response: Response): Promise<void> {
  const cache = await caches.open(cacheName)
  await cache.put(request, response)
}

// The message is the same for everybody and says nothing, so it need not be read: this is what it says, in the language of the
// app, which is the phone's until the user chooses another.
async function fixedText(): Promise<{ title: string; body: string; lang: string }> {
  const language = (await keptLanguage()) ?? self.navigator.language
  const lang = language.toLowerCase().startsWith('de') ? 'de' : 'en'
  return { ...words[lang], lang }
}

// Browsers insist that every push shows something, and take the permission away otherwise.
async function show({ title, body, lang }: { title: string; body: string; lang: string }): Promise<void> {
  await self.registration.showNotification(title, {
    ...{ body, lang, tag: 'dp1', icon: '/icons/icon-192.png', badge: '/icons/badge-96.png' },
    requireInteraction: true,
    data: { open: inboxPath },
  })
}

async function openInbox(): Promise<void> {
  const windows = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
  const first = windows.find(({ focused }) => focused) ?? windows[0]
  if (first) {
    first.postMessage({ kind: 'inbox' })
    await first.focus()
  } else await self.clients.openWindow(inboxPath)
}

// The keys to tell the server with are the page's business: it compares when it opens next (device-protocol.md §11). Here the
// subscription itself is renewed, so that there is one to compare with.
async function renew(event: ExtendableEvent): Promise<void> {
  const old = 'oldSubscription' in event ? (event.oldSubscription as PushSubscription | null) : null
  const options = old?.options
  if (options?.applicationServerKey) await self.registration.pushManager.subscribe(options)
}
