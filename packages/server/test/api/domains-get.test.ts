import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const get = (id: string) => server.call('GET', `/api/domains/${id}`)

  it('all nine members are there, in their order, with the defaults', async () => {
    const id = await newDomain(server, { name: 'Office VPN' })
    const reply = await get(id)
    assert.equal(reply.status, 200)
    assert.equal(
      reply.text,
      `{"id":"${id}","name":"Office VPN","type":"API","keyType":"ONE_STEP","maxAllowedRetries":5,"requestTimeout":120,` +
        '"activationCodeExpiration":7,"requestPollingEnabled":true,"bypassEnabled":true}',
    )
    assert.match(id, /^[0-9a-f]{40}$/)
  })

  it('what it was created with is what is read, at either end of what is allowed', async () => {
    for (const [type, keyType, maxAllowedRetries, requestTimeout, activationCodeExpiration, flag] of [
      ['RADIUS', 'PIN', 1, 30, 1, false],
      ['PAM', 'PASSCODE', 10, 600, 365, true],
      ['SAML', 'ONE_STEP', 10, 600, 365, false],
      ['OIDC', 'PIN', 1, 30, 1, true],
      ['OTHER', 'PIN', 5, 120, 7, true],
    ] as const) {
      const flags = { requestPollingEnabled: flag, bypassEnabled: flag }
      const rules = { name: type, type, keyType, maxAllowedRetries, requestTimeout, activationCodeExpiration, ...flags }
      const id = await newDomain(server, rules)
      assert.equal((await get(id)).text, JSON.stringify({ id, ...rules }))
    }
  })

  it('a rule that cannot be makes no domain', async () => {
    for (const wrong of [
      { name: '' },
      { name: '\u200b' },
      { name: 'x'.repeat(129) },
      { type: 'api' },
      { keyType: 'TWO_STEP' },
      { maxAllowedRetries: 0 },
      { maxAllowedRetries: 11 },
      { maxAllowedRetries: 1.5 },
      { requestTimeout: 29 },
      { requestTimeout: 601 },
      { activationCodeExpiration: 0 },
      { activationCodeExpiration: 366 },
      { numberMatching: 'always' },
      { onFraud: 'ignore' },
    ]) {
      const [field = ''] = Object.keys(wrong)
      const refused = { code: 'api.error.badrequest', message: new RegExp(`^${field}: `) }
      await assert.rejects(newDomain(server, wrong), refused, JSON.stringify(wrong))
    }
  })

  it('an id is found in upper case, too', async () => {
    const { domainId } = server.acme
    const upper = await get(domainId.toUpperCase())
    assert.equal(upper.body.id, domainId)
    assert.equal(upper.text, (await get(domainId)).text)
  })
})
