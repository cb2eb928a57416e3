import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** Everything that must end what a user may do, each at once. */
const interventions: Record<string, (server: TestServer, phone: Phone) => Promise<unknown>> = {
  'the token is revoked': (server, phone) => server.call('DELETE', phone.token),
  'the token is issued anew': async (server, phone) => {
    await server.call('DELETE', phone.token)
    return server.call('PUT', phone.token)
  },
  'the user leaves the domain': (server, { domainId, userId }) =>
    server.call('DELETE', `/api/domains/${domainId}/users/${userId}`),
  'the user leaves the domain and comes back': async (server, { domainId, userId }) => {
    await server.call('DELETE', `/api/domains/${domainId}/users/${userId}`)
    return server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
  },
  'the user is no longer on the list': (server, { domainId }) =>
    server.call('PUT', `/api/domains/${domainId}/users`, { body: [{ username: 'alice' }] }),
  'the user is deleted': (server, { userId }) => server.call('DELETE', `/api/users/${userId}`),
  'the user reports another request': async (_server, phone) => phone.device.deny(await phone.ask(), 'not_me'),
  'the token is locked for wrong PINs': async (_server, phone) => {
    const bait = await phone.ask()
    for (let wrong = 0; wrong < 5; wrong++) await phone.device.approveWithWrongPin(bait)
  },
  'the phone takes itself off': async (server, { device }) =>
    server.device('remove', await device.sign('remove', device.common('remove'))),
}

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  for (const [intervention, work] of Object.entries(interventions)) {
    describe(`A30: when ${intervention}`, () => {
      it('between the request and its approval, there is no success', async () => {
        const phone = await newPhone(server, { pin: true })
        const request = await phone.ask()
        await work(server, phone)
        const reply = await phone.device.approve(request)
        assert.ok([401, 409, 410].includes(reply.status), reply.text)
        await neverAgain(phone, request.sid)
      })

      it('between the approval and its being read, there is no success', async () => {
        const phone = await newPhone(server, { pin: true })
        const request = await phone.ask()
        assert.equal((await phone.device.approve(request)).body.state, 'approved')
        await work(server, phone)
        await neverAgain(phone, request.sid)
      })

      it('after the approval was read, it is not read again', async () => {
        const phone = await newPhone(server, { pin: true })
        const request = await phone.ask()
        await phone.device.approve(request)
        assert.equal(await phone.verdict(request.sid), 'approved')
        await work(server, phone)
        await neverAgain(phone, request.sid)
      })
    })
  }

  async function neverAgain(phone: Phone, sid: string): Promise<void> {
    assert.equal(await phone.verdict(sid), 'denied')
    const body = { user: { id: phone.userId } }
    const next = await server.call('POST', `/api/domains/${phone.domainId}/sessions`, { body })
    // No token, no user, or a session that is denied from its beginning.
    assert.ok(next.status === 404 || next.body.state === 'denied', next.text)
  }
})
