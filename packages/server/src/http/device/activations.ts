import type { BeginReply } from '@countersign/protocol/device-messages.ts'
import type { App } from '../../app.ts'
import { beginActivation } from '../../core/activations.ts'
import { malformed, unsupportedVersion } from '../../core/signed-messages.ts'
import type { Incoming } from '../route.ts'
import { readObject } from './body.ts'

/** A code with a user name, typed, or with the secret of a link or QR code. */
export async function begin(app: App, request: Incoming): Promise<BeginReply> {
  const { v, code, username, secret, ...unknown } = readObject(request)
  if (Number.isInteger(v) && v !== 1) throw unsupportedVersion()
  if (v !== 1 || typeof code !== 'string' || Object.keys(unknown).length > 0) throw malformed()
  const address = request.clientAddress
  if (typeof secret === 'string') return beginActivation(app, { code, secret, address })
  if (typeof username === 'string' && secret === undefined) return beginActivation(app, { code, username, address })
  throw malformed()
}
