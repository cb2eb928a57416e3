// Where the service worker, which has no localStorage, finds the language that was chosen in the app.
const cacheName = 'language'
const entry = '/language'

/** Keeps the chosen language for notifications. Where there is no Cache Storage they go on following the phone. */
export async function keepLanguage(code: string): Promise<void> {
  try {
    const cache = await caches.open(cacheName)
    await cache.put(entry, new Response(code))
  } catch {
    // not over plain http, and not in the private windows of some browsers
  }
}

/** The language that was chosen; undefined before one was. */
export async function keptLanguage(): Promise<string | undefined> {
  try {
    return await (await caches.match(entry, { cacheName }))?.text()
  } catch {
    return undefined // a notification must be shown, in whatever language
  }
}
