import assert from 'node:assert/strict'
import { createDecipheriv, createECDH, type ECDH, hkdfSync, randomBytes } from 'node:crypto'
import type { PushSubscription } from '@countersign/protocol/device-messages.ts'
import type { TestDevice } from './device.ts'
import type { Reply, TestServer } from './server.ts'

/** A browser's push subscription: keys of its own, and the right to read what is sent to it. */
export class TestSubscription {
  readonly endpoint: string
  readonly keys: ECDH
  readonly auth: Buffer

  constructor({ endpoint, privateKey, auth }: { endpoint?: string; privateKey?: Buffer; auth?: Buffer } = {}) {
    this.endpoint = endpoint ?? `https://fcm.googleapis.com/fcm/send/${randomBytes(24).toString('base64url')}`
    this.keys = createECDH('prime256v1')
    if (privateKey) this.keys.setPrivateKey(privateKey)
    else this.keys.generateKeys()
    this.auth = auth ?? randomBytes(16)
  }

  /** As a device hands it over. */
  asMessage(vapid: string): PushSubscription {
    const [p256dh, auth] = [this.keys.getPublicKey(), this.auth].map((bytes) => bytes.toString('base64url'))
    return { endpoint: this.endpoint, p256dh: p256dh ?? '', auth: auth ?? '', vapid }
  }

  /** The clear text of a push (RFC 8291, 3 and 4; RFC 8188 with one record). Throws for one that is not for this subscription. */
  decrypt(body: Buffer): string {
    const [salt, recordSize, keyLength] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)]
    const [sender, record] = [body.subarray(21, 21 + keyLength), body.subarray(21 + keyLength)]
    assert.ok(record.length <= recordSize)
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.keys.getPublicKey(), sender])
    const secret = Buffer.from(hkdfSync('sha256', this.keys.computeSecret(sender), this.auth, info, 32))
    const derive = (name: string, bytes: number) =>
      Buffer.from(hkdfSync('sha256', secret, salt, `Content-Encoding: ${name}\0`, bytes))
    const decipher = createDecipheriv('aes-128-gcm', derive('aes128gcm', 16), derive('nonce', 12))
    decipher.setAuthTag(record.subarray(-16))
    const padded = Buffer.concat([decipher.update(record.subarray(0, -16)), decipher.final()])
    const end = padded.lastIndexOf(2)
    assert.ok(end >= 0 && padded.subarray(end + 1).every((byte) => byte === 0))
    return padded.subarray(0, end).toString('utf8')
  }
}

/** The key that the server tells devices to subscribe under. */
export async function vapidOf(server: Pick<TestServer, 'deviceUrl'>): Promise<string> {
  const reply = await fetch(`${server.deviceUrl}/device/v1/server`)
  const { vapid } = (await reply.json()) as { vapid: string }
  return vapid
}

/** Hands a subscription over, or none. */
export async function subscribe(
  server: TestServer,
  device: TestDevice,
  push: Partial<PushSubscription> | null,
): Promise<Reply> {
  return server.device('push', await device.sign('push', { ...device.common('push'), push }))
}

/** A new subscription that the server has. */
export async function newSubscription(
  server: TestServer,
  device: TestDevice,
  endpoint?: string,
): Promise<TestSubscription> {
  const subscription = new TestSubscription(endpoint === undefined ? {} : { endpoint })
  const reply = await subscribe(server, device, subscription.asMessage(await vapidOf(server)))
  assert.equal(reply.body?.push, 'ok', reply.text)
  return subscription
}
