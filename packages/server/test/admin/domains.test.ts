import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newPhone, newUser, refusal } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const path = '/admin/v1/domains'
const defaults = {
  type: 'API',
  keyType: 'ONE_STEP',
  maxAllowedRetries: 5,
  requestTimeout: 120,
  activationCodeExpiration: 7,
  requestPollingEnabled: true,
  bypassEnabled: true,
  activationCodeMinutes: null,
  otpEnabled: true,
  bypassCountsAsUnlock: false,
  numberMatching: 'whenAsked',
  onFraud: 'suspend',
  minLength: 4,
  platformUnlockEnabled: false,
  allowedNetworks: [],
}

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const create = async (body: object) => (await server.call('POST', path, { body })).body
  const change = (id: string, body: object, headers = {}) => server.call('PATCH', `${path}/${id}`, { body, headers })

  it('a domain is created with the defaults, and is what both APIs show from then on', async () => {
    const reply = await server.call('POST', path, { body: { name: 'Office' } })
    assert.equal(reply.status, 201)
    const { id, createdAt, ...domain } = reply.body
    assert.deepEqual(domain, { name: 'Office', ...defaults })
    assert.equal(createdAt, new Date(server.clock.now()).toISOString())
    const shown = await server.call('GET', `${path}/${id}`)
    assert.deepEqual([shown.body, shown.headers.get('etag')], [reply.body, reply.headers.get('etag')])
    assert.equal((await server.call('GET', `/api/domains/${id}`)).body.name, 'Office')
  })

  it('everything can be changed, alone or together, and each change is in the log with what it was', async () => {
    const { id } = await create({ name: 'Changing' })
    const changes = {
      name: 'Changed',
      type: 'RADIUS',
      keyType: 'PIN',
      maxAllowedRetries: 3,
      requestTimeout: 60,
      activationCodeExpiration: 30,
      activationCodeMinutes: 15,
      requestPollingEnabled: false,
      bypassEnabled: false,
      otpEnabled: false,
      bypassCountsAsUnlock: true,
      numberMatching: 'required',
      onFraud: 'revoke',
      minLength: 6,
      platformUnlockEnabled: true,
      allowedNetworks: ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7'],
    }
    for (const [name, value] of Object.entries(changes)) {
      const reply = await change(id, { [name]: value })
      assert.deepEqual([reply.status, reply.body[name]], [200, value], name)
      const [event] = (await auditOf(server, { domain_id: id, event: 'domain.updated' })).slice(-1)
      assert.deepEqual(Object.keys(event?.data ?? {}), [name])
    }
    const { createdAt, ...shown } = (await server.call('GET', `${path}/${id}`)).body
    assert.deepEqual(shown, { id, ...changes })
    const before = await dump(server.database)
    await change(id, changes)
    assert.deepEqual(await dump(server.database), before, 'the same again is no change')
  })

  it('a value that cannot be is refused by its name, and changes nothing', async () => {
    const { id } = await create({ name: 'Firm' })
    const before = await dump(server.database)
    for (const wrong of [
      { name: '' },
      { name: 3 },
      { type: 'api' },
      { keyType: 'FINGERPRINT' },
      { maxAllowedRetries: 0 },
      { maxAllowedRetries: '5' },
      { requestTimeout: 601 },
      { activationCodeMinutes: 4 },
      { bypassEnabled: 1 },
      { numberMatching: 'never' },
      { minLength: 3 },
      { platformUnlockEnabled: 1 },
      { colour: 'red' },
      { id: 'x' },
    ]) {
      const [field = ''] = Object.keys(wrong)
      for (const reply of [
        await change(id, wrong),
        await server.call('POST', path, { body: { name: 'New', ...wrong } }),
      ]) {
        assert.equal(reply.status, 400)
        assert.match(reply.body.errors[0].message, new RegExp(`^${field}: `), JSON.stringify(wrong))
      }
    }
    const range = await change(id, { allowedNetworks: ['192.0.2.0/24', '192.0.2.0/33'] })
    assert.match(range.body.errors[0].message, /^allowedNetworks\[1\]: /)
    assert.equal((await server.call('POST', path, { body: {} })).body.errors[0].message, 'name: It is required.')
    assert.deepEqual(await dump(server.database), before)
  })

  it('of two editors who saw the same domain, the second is told; in parallel, too', async () => {
    const { id } = await create({ name: 'Edited' })
    const seen = (await server.call('GET', `${path}/${id}`)).headers.get('etag') ?? ''
    const edits = ['One', 'Two', 'Three'].map((name) => change(id, { name }, { 'if-match': seen }))
    const statuses = (await Promise.all(edits)).map((reply) => reply.status)
    assert.deepEqual(statuses.sort(), [200, 412, 412])
    assert.equal((await change(id, { name: 'Four' }, { 'if-match': '*' })).status, 200)
    const late = await server.call('DELETE', `${path}/${id}`, { headers: { 'if-match': seen } })
    assert.equal(refusal(late).code, 'api.error.preconditionfailed')
  })

  it('a deleted domain takes its tokens along, and its ended sessions stay readable', async () => {
    const { id } = await create({ name: 'Doomed' })
    const phone = await newPhone(server, { domainId: id })
    const session = await phone.ask()
    const reply = await server.call('DELETE', `${path}/${id}`)
    assert.deepEqual([reply.status, reply.text], [204, ''])
    assert.equal((await server.call('GET', `/api/domains/${id}/sessions/${session.sid}`)).body.state, 'denied')
    for (const gone of [`${path}/${id}`, `/api/domains/${id}`, phone.token]) {
      assert.equal(refusal(await server.call('GET', gone)).code, 'api.error.notfound.domain')
    }
    assert.equal(refusal(await server.call('DELETE', `${path}/${id}`)).code, 'api.error.notfound.domain')
  })

  it('the list goes on where a part of it ended, whoever creates and deletes meanwhile', async () => {
    const ids: string[] = []
    for (let n = 0; n < 7; n++) {
      server.clock.advance(n % 2)
      ids.push((await create({ name: `Listed ${n}` })).id)
    }
    const seen: string[] = []
    for (let after: string | undefined; ; ) {
      const { body } = await server.call('GET', `${path}?limit=2${after ? `&after=${after}` : ''}`)
      assert.ok(body.items.length <= 2)
      seen.push(...body.items.map((domain: { id: string }) => domain.id))
      after = body.next
      if (after === undefined) break
      await server.call('DELETE', `${path}/${(await create({ name: 'Passing' })).id}`)
    }
    assert.deepEqual(new Set(seen).size, seen.length)
    assert.ok(ids.every((id) => seen.includes(id)))
  })

  it('a cursor or a limit that cannot be is refused', async () => {
    for (const query of [
      'limit=0',
      'limit=1001',
      'limit=x',
      'after=x',
      'after=WzFd',
      'after=WyJhIiwxXQ',
      'order=name',
    ]) {
      const reply = await server.call('GET', `${path}?${query}`)
      assert.equal(reply.status, 400, query)
      assert.match(reply.body.errors[0].message, new RegExp(`^${query.split('=')[0]}: `), query)
    }
  })

  it('sessions are created from the allowed networks only', async () => {
    const { id: domainId } = await create({ name: 'Fenced' })
    const phone = await newPhone(server, { domainId })
    await change(domainId, { allowedNetworks: ['192.0.2.0/24'] })
    const body = { user: { id: phone.userId } }
    const refused = await server.call('POST', `/api/domains/${domainId}/sessions`, { body })
    assert.equal(refusal(refused).code, 'api.error.forbidden')
    await change(domainId, { allowedNetworks: ['192.0.2.0/24', '127.0.0.0/8'] })
    assert.equal((await server.call('POST', `/api/domains/${domainId}/sessions`, { body })).status, 200)
  })

  it('an activation code lives for the minutes of its domain', async () => {
    const { id: domainId } = await create({ name: 'Brisk', activationCodeMinutes: 5 })
    const { userId } = await newUser(server)
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
    const token = `/api/domains/${domainId}/users/${userId}/token`
    await server.call('PUT', token)
    server.clock.advance(5 * 60_000 - 1)
    assert.equal((await server.call('GET', token)).status, 200)
    server.clock.advance(1)
    assert.equal((await server.call('GET', token)).status, 404)
  })

  it('a domain that asks for a passcode from now on asks for eight characters, unless told otherwise', async () => {
    const { id } = await create({ name: 'Stricter', keyType: 'PIN' })
    assert.equal((await change(id, { keyType: 'PASSCODE' })).body.minLength, 8)
    const { id: other } = await create({ name: 'Told', keyType: 'PIN', minLength: 10 })
    assert.equal((await change(other, { keyType: 'PASSCODE' })).body.minLength, 10)
    assert.equal((await change(other, { keyType: 'PIN', minLength: 4 })).body.minLength, 4)
    assert.equal((await change(other, { keyType: 'PASSCODE', minLength: 6 })).body.minLength, 6)
  })
})
