import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import type { PushSubscription as PushTarget } from '@countersign/protocol/device-messages.ts'

/** Whether this browser has Web Push here: on iOS only once the app is on the home screen. */
export function hasPush(): boolean {
  return 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis
}

/** The subscription as it is, or undefined. Never asks the user. */
export async function currentPush(vapid: string): Promise<PushTarget | undefined> {
  const subscription = hasPush() ? await (await navigator.serviceWorker.ready).pushManager.getSubscription() : null
  if (!subscription || keyOf(subscription) !== vapid) return undefined
  return targetOf(subscription, vapid)
}

/**
 * Subscribes under the server's key; needs the user's permission and, where that is not given yet, a tap. A subscription under
 * another key is replaced. Undefined when it is refused.
 */
export async function subscribe(vapid: string): Promise<PushTarget | undefined> {
  const applicationServerKey = fromBase64url(vapid)
  if (!hasPush() || !applicationServerKey) return undefined
  try {
    if ((await Notification.requestPermission()) !== 'granted') return undefined
    const { pushManager } = await navigator.serviceWorker.ready
    const old = await pushManager.getSubscription()
    if (old && keyOf(old) !== vapid) await old.unsubscribe()
    return targetOf(await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }), vapid)
  } catch {
    return undefined // no push service, or not from this place: the app works without
  }
}

/** Ends it, so that nothing arrives here any more. */
export async function unsubscribe(): Promise<void> {
  if (!hasPush()) return
  const subscription = await (await navigator.serviceWorker.ready).pushManager.getSubscription()
  await subscription?.unsubscribe()
}

function keyOf({ options }: PushSubscription): string | undefined {
  return options.applicationServerKey ? toBase64url(new Uint8Array(options.applicationServerKey)) : undefined
}

function targetOf(subscription: PushSubscription, vapid: string): PushTarget | undefined {
  const [p256dh, auth] = (['p256dh', 'auth'] as const).map((name) => subscription.getKey(name))
  if (!p256dh || !auth) return undefined
  const { endpoint } = subscription
  return { endpoint, p256dh: toBase64url(new Uint8Array(p256dh)), auth: toBase64url(new Uint8Array(auth)), vapid }
}
