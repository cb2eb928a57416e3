import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import { internet } from '../../src/delivery/network.ts'
import { post } from '../../src/delivery/post.ts'
import { startPushService } from '../support/push-service.ts'

/** Nobody's: the system refuses to connect to it before it has sent anything. */
const nowhere = '255.255.255.255'

it('T27: a connection that the system refuses at once is an error of that connection, not the end of the process', async () => {
  for (const addresses of [[nowhere], [nowhere, nowhere]]) {
    const socket = internet.dial('fcm.googleapis.com', addresses)
    const [error] = await once(socket, 'error')
    assert.ok(error instanceof Error)
    assert.ok(socket.destroyed)
  }
})

it('T27: an answer that is none, such as 101, ends the push as a failure', async (context) => {
  const service = await startPushService()
  context.after(() => service.close())
  service.answer = () => ({ status: 101, headers: { connection: 'upgrade', upgrade: 'websocket' } })
  const network = { ...service.network, wait: () => Promise.resolve() }
  const outgoing = { headers: {}, body: new Uint8Array(1) }
  const url = new URL('https://fcm.googleapis.com/fcm/send/x')
  const push = post(network, url, outgoing, AbortSignal.timeout(10_000))
  await assert.rejects(push, { message: 'The connection ended without an answer.' })
})
