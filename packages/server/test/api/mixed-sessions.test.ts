import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, type Phone } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const crowd = 100
const loginsEach = 2

onEveryEngine((engine) => {
  let server: TestServer
  let phones: Phone[]
  before(async () => {
    server = await startTestServer(engine)
    phones = await Promise.all(Array.from({ length: crowd }, (_, n) => newPhone(server, { pin: n % 2 === 0 })))
  })
  after(() => server.stop())

  it('A42: a hundred users log in at once, and each verdict is about its own user, address and attributes', async () => {
    const logins = Array.from({ length: loginsEach }, () => phones)
      .flat()
      .map((phone, index) => ({ phone, mark: `login ${index}`, index }))
    // The phones answer while the others still ask; a third of all logins is denied, a third cancelled.
    await Promise.all(
      phones.map((phone) =>
        one(
          phone,
          logins.filter((login) => login.phone === phone),
        ),
      ),
    )
  })

  async function one(phone: Phone, logins: { mark: string; index: number }[]): Promise<void> {
    const domain = `/api/domains/${phone.domainId}`
    for (const { mark, index } of logins) {
      const user = index % 2 ? { id: phone.userId } : { username: phone.username.toUpperCase() }
      const body = { user, ipAddress: `${mark}.example`, attributes: { mark } }
      const created = await server.call('POST', `${domain}/sessions`, { body })
      assert.equal(created.body.state, 'pending', created.text)
      const { id } = created.body
      const [request, member] = await Promise.all([
        phone.device.request(),
        server.call('GET', `${domain}/users/${phone.userId}`),
      ])
      assert.equal(member.body.username, phone.username)
      assert.equal(request.sid, id)
      const { user: shown, ip, attrs, tid } = request.challenge
      const expected = [phone.username, `${mark}.example`, mark, phone.device.tid]
      assert.deepEqual([shown, ip, attrs[0]?.v, tid], expected)
      const answers = [
        () => phone.device.approve(request),
        () => phone.device.deny(request),
        () => server.call('DELETE', `${domain}/sessions/${id}`),
      ]
      const [waiting, answer] = await Promise.all([
        server.call('GET', `${domain}/sessions/${id}?wait=25`),
        answers[index % 3]?.(),
      ])
      assert.equal(answer?.status, 200)
      assert.equal(waiting.text, `{"id":"${id}","state":"${index % 3 === 0 ? 'approved' : 'denied'}"}`)
    }
  }
})
