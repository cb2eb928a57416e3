const workerPath = '/sw.js'
const takeOverMs = 1_500
const dayMs = 86_400_000

/** Registers the service worker, which makes the app open without a network and shows notifications. */
export async function registerWorker(): Promise<void> {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV) return
  // A notification was tapped while the app was open.
  navigator.serviceWorker.addEventListener('message', ({ data }) => {
    if (data?.kind === 'inbox') location.hash = '#/inbox'
  })
  try {
    const worker = await navigator.serviceWorker.register(scriptUrl(workerPath), { scope: '/', updateViaCache: 'none' })
    askDaily(worker)
  } catch {
    // Not from this place (private windows, a certificate that the user has waved through): the app works while it is online.
  }
}

/**
 * Takes a new version that has been waiting since the last visit: true when the page is about to load again. Called before
 * anything is shown, and not when the page was opened by a link, which is in memory only.
 */
export async function takeNewVersion(): Promise<boolean> {
  if (!('serviceWorker' in navigator)) return false
  // Where site data is switched off, even the question is refused.
  const waiting = (await navigator.serviceWorker.getRegistration().catch(() => undefined))?.waiting
  if (!waiting) return false
  const isTaken = await new Promise<boolean>((resolve) => {
    navigator.serviceWorker.addEventListener('controllerchange', () => resolve(true), { once: true })
    setTimeout(() => resolve(false), takeOverMs) // another page is open: at its end, then
    waiting.postMessage({ kind: 'take over' })
  })
  if (isTaken) location.reload()
  return isTaken
}

/** Loads the page again, with the version that the server has now. */
export async function loadNewVersion(): Promise<void> {
  const worker = 'serviceWorker' in navigator ? await navigator.serviceWorker.getRegistration() : undefined
  await worker?.update().catch(() => {}) // without a network the page that is here is as good as it gets
  const fresh = worker?.installing
  if (fresh) await new Promise((resolve) => fresh.addEventListener('statechange', resolve, { once: true }))
  location.reload()
}

/** Takes away what said that a request waits: none does any more. */
export async function closeNotifications(): Promise<void> {
  const worker = 'serviceWorker' in navigator ? await navigator.serviceWorker.getRegistration() : undefined
  for (const notification of (await worker?.getNotifications()) ?? []) notification.close()
}

// Browsers ask for a new version when a page is loaded. An app on the home screen may not be for weeks.
function askDaily(worker: ServiceWorkerRegistration): void {
  let asked = Date.now()
  document.addEventListener('visibilitychange', () => {
    if (document.hidden || Date.now() - asked < dayMs) return
    asked = Date.now()
    worker.update().catch(() => {}) // tomorrow, then
  })
}

// Trusted Types: a worker's address is a script's.
function scriptUrl(path: string): string {
  const policy = trustedTypesOf(globalThis)?.createPolicy('countersign-worker', {
    createScriptURL(url) {
      if (url !== workerPath) throw new TypeError('No other worker is ours')
      return url
    },
  })
  return policy ? policy.createScriptURL(path) : path
}

// Not in TypeScript's own types; what the policy makes is accepted where a text is.
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string }
}

function trustedTypesOf(scope: object): TrustedTypes | undefined {
  return 'trustedTypes' in scope ? (scope.trustedTypes as TrustedTypes) : undefined
}
