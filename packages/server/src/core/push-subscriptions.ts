import { fromBase64url } from '@countersign/protocol/base64url.ts'
import type { PushSubscription } from '@countersign/protocol/device-messages.ts'
import type { App, PushMessage } from '../app.ts'
import type { PushColumns } from '../storage/push-subscriptions.ts'
import type { TokenRow } from '../storage/tokens.ts'
import { plainHash } from './secrets.ts'
import { malformed } from './signed-messages.ts'
import { currentVapidKey, findVapidKey } from './vapid-keys.ts'

const none: PushColumns = {
  push_endpoint_cipher: null,
  push_keys_cipher: null,
  push_endpoint_hash: null,
  push_vapid_id: null,
}

/**
 * What a token keeps of a subscription. None where this server sends no pushes, or was never known by the key that the device
 * has subscribed under; `malformed` for one that no browser makes, or that leads elsewhere than to a push service.
 */
export async function pushColumns(app: App, tid: string, push: PushSubscription | null): Promise<PushColumns> {
  if (!push || !app.delivery.webPush) return none
  const { endpoint, p256dh, auth, vapid } = push
  if (app.delivery.webPush.serviceOf(endpoint) === undefined) throw malformed()
  if (fromBase64url(auth)?.length !== 16 || !(await isPoint(p256dh))) throw malformed()
  const key = await findVapidKey(app, ({ publicKey }) => publicKey === vapid)
  if (!key) return none
  const encrypt = (column: string, clear: string) => app.secrets.encrypt({ table: 'tokens', column, row: tid }, clear)
  return {
    push_endpoint_cipher: encrypt('push_endpoint_cipher', endpoint),
    push_keys_cipher: encrypt('push_keys_cipher', JSON.stringify({ p256dh, auth })),
    push_endpoint_hash: plainHash(endpoint),
    push_vapid_id: key.id,
  }
}

/** What only a subscription has. */
export type Subscription = Pick<PushMessage, 'endpoint' | 'p256dh' | 'auth'>

/** Throws when it cannot be decrypted: somebody has changed or moved it. */
export function openSubscription(app: App, token: TokenRow): Subscription {
  const { tid, push_endpoint_cipher, push_keys_cipher } = token
  const decrypt = (column: string, cipher: string | null) =>
    app.secrets.decrypt({ table: 'tokens', column, row: tid }, cipher ?? '')
  const endpoint = decrypt('push_endpoint_cipher', push_endpoint_cipher)
  return { endpoint, ...JSON.parse(decrypt('push_keys_cipher', push_keys_cipher)) }
}

/** What a device is told of its subscription: `stale` is one under an older key, which it should make anew. */
export function pushStateOf(
  app: App,
  token: Pick<TokenRow, 'push_endpoint_hash' | 'push_vapid_id'>,
): 'ok' | 'none' | 'stale' {
  const current = currentVapidKey(app)
  if (!current || token.push_endpoint_hash === null) return 'none'
  return token.push_vapid_id === current.id ? 'ok' : 'stale'
}

/** Whether these are the 65 bytes of a point that lies on P-256. */
async function isPoint(text: string): Promise<boolean> {
  const bytes = fromBase64url(text)
  if (bytes?.length !== 65) return false
  try {
    await crypto.subtle.importKey('raw', bytes, { name: 'ECDH', namedCurve: 'P-256' }, false, [])
    return true
  } catch {
    return false // off the curve
  }
}
