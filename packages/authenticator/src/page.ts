import type { DeviceDescription } from '@countersign/protocol/device-messages.ts'
import type { Page, Push } from './model/surroundings.ts'
import { currentPush, hasPush, subscribe, unsubscribe } from './protocol/subscription.ts'

const keysMark = 'countersign.keys'
const pollLock = 'countersign-poll'

/** The browser, as the model needs it. */
export const browserPage: Page = {
  get visible() {
    return document.visibilityState === 'visible'
  },
  get online() {
    return navigator.onLine
  },
  onChange(listener) {
    document.addEventListener('visibilitychange', listener)
    addEventListener('online', listener)
    addEventListener('offline', listener)
    addEventListener('pageshow', listener)
  },
  async lead(signal, work) {
    await navigator.locks.request(pollLock, { signal }, work).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  },
  async persist() {
    return (await navigator.storage?.persist?.()) ?? false
  },
  describe(persisted): DeviceDescription {
    return {
      name: nameOf(navigator.userAgent),
      platform: platformOf(navigator.userAgent),
      app: `pwa/${__APP_VERSION__}`,
      persisted,
    }
  },
  get hadKeys() {
    return localStorage.getItem(keysMark) !== null
  },
  set hadKeys(had) {
    if (had) localStorage.setItem(keysMark, '1')
    else localStorage.removeItem(keysMark)
  },
}

export const browserPush: Push = {
  get permission() {
    return hasPush() ? Notification.permission : 'unavailable'
  },
  current: currentPush,
  subscribe,
  unsubscribe,
}

const platforms: [pattern: RegExp, id: string, name: string][] = [
  [/iPhone|iPod/, 'ios', 'iPhone'],
  [/iPad/, 'ios', 'iPad'],
  [/Android/, 'android', 'Android'],
  [/Windows/, 'windows', 'Windows'],
  [/CrOS/, 'chromeos', 'ChromeOS'],
  [/Macintosh|Mac OS/, 'macos', 'Mac'],
  [/Linux/, 'linux', 'Linux'],
]
const browsers: [pattern: RegExp, name: string][] = [
  [/Edg|EdgA|EdgiOS/, 'Edge'],
  [/SamsungBrowser/, 'Samsung Internet'],
  [/Firefox|FxiOS/, 'Firefox'],
  [/OPR/, 'Opera'],
  [/Chrome|CriOS/, 'Chrome'],
  [/Safari/, 'Safari'],
]

/** What an administrator reads to tell one phone from another. */
function nameOf(userAgent: string): string {
  const device = platforms.find(([pattern]) => pattern.test(userAgent))?.[2] ?? 'Web'
  const browser = browsers.find(([pattern]) => pattern.test(userAgent))?.[1]
  return browser ? `${device}, ${browser}` : device
}

function platformOf(userAgent: string): string {
  return platforms.find(([pattern]) => pattern.test(userAgent))?.[1] ?? 'web'
}
