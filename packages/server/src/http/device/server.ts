import type { ServerReply } from '@countersign/protocol/device-messages.ts'
import type { App } from '../../app.ts'
import { vapidMember } from '../../core/vapid-keys.ts'

/** What anybody may know of this server; a device refuses an origin other than the one it was given. */
export async function describeServer(app: App): Promise<ServerReply> {
  const { serverName, deviceUrl } = app.config
  return { name: serverName, versions: [1], origin: deviceUrl, time: Math.floor(app.now() / 1000), ...vapidMember(app) }
}
