import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { messageType } from '@countersign/protocol/device-messages.ts'
import { signMessage, thumbprint } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import { newJti, newKeys, publicJwk, registrationChallenge, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain, newPhone, newUser, type Phone, refusal } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { type Lies, SoftAuthenticator } from '../support/webauthn.ts'

const required = { status: 403, code: 'factor_required' }
const malformed = { status: 400, code: 'malformed' }
const failed = (remaining: number) => ({ status: 403, code: 'factor_failed', remaining })

onEveryEngine((engine) => {
  let server: TestServer
  const domains: Record<'pin' | 'both' | 'platform', string> = { pin: '', both: '', platform: '' }
  before(async () => {
    server = await startTestServer(engine)
    domains.pin = server.acme.pinDomainId
    domains.both = await newDomain(server, { keyType: 'PIN', platformUnlockEnabled: true })
    domains.platform = await newDomain(server, { keyType: 'BIOMETRIC' })
  })
  after(() => server.stop())

  it('the policy says what a domain takes, at the activation and at each poll', async () => {
    const policies: [rules: object, unlock: string[]][] = [
      [{ keyType: 'ONE_STEP', platformUnlockEnabled: true }, ['none']],
      [{ keyType: 'PIN' }, ['pin']],
      [{ keyType: 'PIN', platformUnlockEnabled: true }, ['pin', 'platform']],
      [{ keyType: 'PASSCODE', platformUnlockEnabled: true }, ['pin', 'platform']],
      [{ keyType: 'BIOMETRIC' }, ['platform']],
      [{ keyType: 'BIOMETRIC', platformUnlockEnabled: true }, ['platform']],
    ]
    for (const [rules, unlock] of policies) {
      const { begun } = await begin(await newDomain(server, { ...rules }))
      assert.deepEqual(begun.policy.unlock, unlock, JSON.stringify(rules))
    }
  })

  it('where both will do, each is asked for what it has; where one does not, it must change', async () => {
    const [pin, platform] = [await phoneIn('both', { pin: true }), await phoneIn('both', { platform: true })]
    assert.equal((await pin.ask()).challenge.unlock, 'pin')
    const request = await platform.ask()
    assert.equal(request.challenge.unlock, 'platform')
    const { domainId } = platform
    const change = (body: object) => server.call('PATCH', `/admin/v1/domains/${domainId}`, { body })
    const before = await platform.device.poll()
    assert.equal((await change({ platformUnlockEnabled: false })).status, 200)
    const poll = await platform.device.poll()
    assert.ok(before.ok && poll.ok)
    assert.deepEqual([before.factor, poll.factor, poll.policy.unlock], ['ok', 'required', ['pin']])
    assert.equal(poll.policy.rev, before.policy.rev + 1)
    assert.deepEqual(refusal(await platform.device.approve(request)), required)
    assert.equal((await platform.ask()).challenge.unlock, 'pin')
    await change({ platformUnlockEnabled: true })
    assert.equal((await platform.device.approve(request)).status, 200)
    await change({ keyType: 'BIOMETRIC' })
    assert.deepEqual(refusal(await pin.device.approve(await pin.device.request())), required)
    await change({ keyType: 'PIN' })
  })

  it('a factor that the domain does not take activates nothing, and the code still works', async () => {
    for (const [kind, refused, accepted] of [
      ['pin', { platform: true }, { pin: true }],
      ['platform', { pin: true }, { platform: true }],
      ['platform', {}, { platform: true }],
    ] as const) {
      const { begun, username } = await begin(domains[kind])
      const wrong = await TestDevice.prepare(server, begun.tid, { username, ...refused })
      assert.deepEqual(refusal(await finish(wrong, begun)), required)
      const right = await TestDevice.prepare(server, begun.tid, { username, ...accepted })
      assert.equal((await finish(right, begun)).body.state, 'active')
    }
  })

  it('A38: a registration that lies in any one thing is malformed and consumes nothing; an honest one then activates', async () => {
    const { begun, username } = await begin(domains.platform)
    const device = await TestDevice.prepare(server, begun.tid, { username, platform: true })
    const honest = device.registration(begun.nonce)
    const lies: [what: string, reg: unknown][] = [
      ...Object.entries<Lies>({
        'a challenge of chance': { challenge: randomBytes(32).toString('base64url') },
        'another origin': { origin: 'https://mfa.example.com' },
        'another rpId': { rpId: 'example.com' },
        'not verified': { flags: 1 },
        'not present': { flags: 4 },
        'backed up without being eligible': { flags: 1 | 4 | 16 },
        'an assertion': { type: 'webauthn.get' },
        'a frame of another site': { crossOrigin: true },
        'another id': { id: 'AAAA' },
        ES384: { algorithm: -35 },
        EdDSA: { algorithm: -8 },
        'an unknown format': { format: 'mine' },
        'an attestation of Android': { format: 'android-safetynet' },
        'an attestation by a certificate': { certified: true },
        'a certificate that is none': { format: 'packed', statement: new Map([['x5c', [Buffer.alloc(40)]]]) },
        'a self-attestation that is not signed': { format: 'packed', statement: new Map([['alg', -7]]) },
        'a statement where there is none': { statement: new Map([['alg', -7]]) },
      }).map(([what, lie]): [string, unknown] => [what, device.registration(begun.nonce, lie)]),
      ['the nonce of another activation', device.registration('A'.repeat(43))],
      [
        'another token',
        new SoftAuthenticator(server.deviceUrl).register(registrationChallenge('0'.repeat(40), begun.nonce)),
      ],
      ['nothing', {}],
      ['no response', { ...honest, response: undefined }],
      ['no CBOR', { ...honest, response: { ...(honest.response as object), attestationObject: 'AAAA' } }],
      ['members of other types', { ...honest, response: { clientDataJSON: 1, attestationObject: [] } }],
    ]
    for (const [what, reg] of lies) {
      const reply = await finish(device, begun, { factor: { m: 'webauthn', reg } })
      assert.deepEqual(refusal(reply), malformed, what)
    }
    assert.equal((await finish(device, begun, { factor: { m: 'webauthn', reg: honest } })).body.state, 'active')
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', begun.tid)
    assert.deepEqual([row?.factor, row?.credential_id, row?.pin_key_cipher], ['webauthn', honest.id, null])
    assert.equal(Number(row?.credential_sign_count), 0)
  })

  it('a synced passkey, and a self-attestation that a browser let through, are as good', async () => {
    for (const lies of [{ flags: 1 | 4 | 8 }, { flags: 1 | 4 | 8 | 16 }, { selfAttested: true }]) {
      const { begun, username } = await begin(domains.platform)
      const device = await TestDevice.prepare(server, begun.tid, { username, platform: true })
      const factor = { m: 'webauthn', reg: device.registration(begun.nonce, lies) }
      assert.equal((await finish(device, begun, { factor })).body.state, 'active')
    }
  })

  it('a PIN is changed for a credential and back, each proven under the other, and only the new one counts', async () => {
    const phone = await phoneIn('both', { pin: true })
    const { device } = phone
    const pinKey = device.pinKey
    const platform = new SoftAuthenticator(server.deviceUrl)
    assert.equal((await change(phone, { next: { platform } })).body.factor, 'ok')
    let [row] = await sql(server.database, 'select * from tokens where tid = ?', device.tid)
    assert.deepEqual([row?.factor, row?.factor_kind, row?.pin_key_cipher], ['webauthn', null, null])
    Object.assign(device, { platform, pinKey: undefined })
    assert.equal((await device.approve(await phone.ask())).body.state, 'approved')
    const next = { pinKey: new Uint8Array(randomBytes(32)) }
    assert.equal((await change(phone, { next })).body.factor, 'ok')
    ;[row] = await sql(server.database, 'select * from tokens where tid = ?', device.tid)
    assert.deepEqual([row?.factor, row?.credential_id, row?.credential_public_key], ['pin', null, null])
    const request = await phone.ask()
    assert.deepEqual(refusal(await device.approve(request)), required, 'the credential is no proof any more')
    Object.assign(device, { platform: undefined, pinKey })
    assert.deepEqual(refusal(await device.approve(request)), failed(4), 'nor is the PIN before it')
    device.pinKey = next.pinKey
    assert.equal((await device.approve(request)).body.state, 'approved')
  })

  it('a change needs the old factor, and a registration of its own message', async () => {
    const phone = await phoneIn('both', { platform: true })
    const platform = new SoftAuthenticator(server.deviceUrl)
    assert.deepEqual(refusal(await change(phone, { next: { platform }, uv: undefined })), required)
    assert.deepEqual(refusal(await change(phone, { next: { platform }, lies: { flags: 1 } })), failed(4))
    assert.deepEqual(refusal(await change(phone, { next: { platform }, nonce: newJti() })), malformed)
    const [row] = await sql(server.database, 'select * from tokens where tid = ?', phone.device.tid)
    assert.equal(Number(row?.unlock_failures), 1, 'what is malformed is not counted')
    assert.equal((await phone.device.approve(await phone.ask())).body.state, 'approved')
  })

  it('an assertion that was verified before another credential took over is a wrong proof when it is judged', async () => {
    const phone = await phoneIn('both', { platform: true })
    const request = await phone.ask()
    const { storage } = server.app
    let changed = false
    // The change commits between the verification of the answer and its unit of work.
    server.app.storage = {
      ...storage,
      async transaction(work) {
        if (!changed) {
          changed = true
          const next = { platform: new SoftAuthenticator(server.deviceUrl) }
          assert.equal((await change(phone, { next })).status, 200)
        }
        return storage.transaction(work)
      },
    }
    assert.deepEqual(refusal(await phone.device.approve(request)), failed(4))
    server.app.storage = storage
    assert.equal(await phone.verdict(request.sid), 'pending')
  })

  it('a request from before a change of factor asks for the old one: it takes neither', async () => {
    const phone = await phoneIn('both', { pin: true })
    const request = await phone.ask()
    const platform = new SoftAuthenticator(server.deviceUrl)
    await change(phone, { next: { platform } })
    const { pinKey } = phone.device
    Object.assign(phone.device, { platform, pinKey: undefined })
    assert.deepEqual(refusal(await phone.device.approve(request)), required)
    Object.assign(phone.device, { platform: undefined, pinKey })
    assert.deepEqual(refusal(await phone.device.approve(request)), required)
  })

  it('a key is rotated under an assertion, and a wrong one is counted', async () => {
    const { device, ask } = await phoneIn('platform', { platform: true })
    const keys = await newKeys()
    assert.deepEqual(refusal(await rotate(device, keys, { flags: 1 })), failed(4))
    assert.equal((await rotate(device, keys, {})).status, 200)
    device.keys = keys
    assert.equal((await device.approve(await ask())).body.state, 'approved')
  })

  it('at the start the operator hears of tokens whose credentials are of another origin', async () => {
    await phoneIn('platform', { platform: true })
    await sql(server.database, `update tokens set origin = 'https://old.example.org' where state = 'active'`)
    await server.restart()
    const warning = server.logged.filter(({ msg }) => String(msg).includes('another device origin')).at(-1)
    const [{ all, platform } = {}] = await sql(
      server.database,
      `select count(*) as "all", count(credential_id) as platform from tokens where state = 'active'`,
    )
    assert.deepEqual([warning?.phones, warning?.platform], [Number(all), Number(platform)])
    assert.ok(Number(all) > Number(platform) && Number(platform) > 0)
  })

  function phoneIn(kind: keyof typeof domains, unlock: { pin?: boolean; platform?: boolean }): Promise<Phone> {
    return newPhone(server, { domainId: domains[kind], ...unlock })
  }

  async function begin(domainId: string) {
    const { userId, username } = await newUser(server)
    await server.call('PUT', `/api/domains/${domainId}/users/${userId}`)
    const { code } = (await server.call('PUT', `/api/domains/${domainId}/users/${userId}/token`)).body
    const { body } = await server.device('activation/begin', { v: 1, code, username })
    return { begun: body, username }
  }

  async function finish(device: TestDevice, begun: { aid: string; nonce: string; tid: string }, lies = {}) {
    return server.device('activation/finish', await device.finishMessage(begun, lies))
  }

  /** Changes the factor to the next one's, proven under the one that the device has. */
  async function change(
    { device }: Phone,
    {
      next,
      lies,
      nonce,
      ...given
    }: { next: Pick<Partial<TestDevice>, 'pinKey' | 'platform'>; lies?: Lies; nonce?: string; uv?: undefined },
  ): Promise<Reply> {
    const jti = newJti()
    const binding = { op: 'factor', ref: jti, ans: 'change', hash: new Uint8Array(32) } as const
    const uv = lies ? { m: 'webauthn', resp: await device.assertion(binding, lies) } : await device.uv(binding)
    const changed = new TestDevice(server, { ...device, pinKey: next.pinKey, platform: next.platform })
    const payload = { ...device.common('factor'), jti, factor: changed.factor(nonce ?? jti), uv, ...given }
    return server.device('factor', await device.sign('factor', payload))
  }

  async function rotate(device: TestDevice, keys: CryptoKeyPair, lies: Lies): Promise<Reply> {
    const [jti, key] = [newJti(), await publicJwk(keys)]
    const newKey = { ...device.common('newkey'), jti }
    const proof = await signMessage(keys.privateKey, messageType('newkey'), device.tid, newKey)
    const hash = await sha256(new TextEncoder().encode(await thumbprint(key)))
    if (device.platform) device.platform.signCount++
    const resp = await device.assertion({ op: 'rotate', ref: jti, ans: 'rotate', hash }, lies)
    const payload = { ...device.common('rotate'), jti, key, proof, uv: { m: 'webauthn', resp } }
    return server.device('rotate', await device.sign('rotate', payload))
  }
})
