import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { logFields, openLog } from '../../src/log.ts'
import { newBypassCode, newFob } from '../support/codes.ts'
import { TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { exchange } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('T34: with everything logged, no secret of a whole story is in the log, and every member has its place in the docs', async () => {
    const secrets = await story()
    const log = JSON.stringify(server.logged)
    assert.ok(server.logged.length > 30)
    for (const [name, secret] of Object.entries(secrets)) {
      const forms = [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url')]
      for (const form of forms) assert.ok(!log.includes(form), `${name} is in the log`)
    }
    for (const line of server.logged) {
      for (const name of Object.keys(line)) assert.ok(name in logFields, `${name} in ${JSON.stringify(line)}`)
    }
  })

  /** A user gets a token and logs in by it, by a bypass code and by a hardware token, and each goes wrong once. */
  async function story(): Promise<Record<string, string>> {
    const { pinDomainId, apiKey } = server.acme
    const { userId, username } = await newUser(server)
    const domain = `/api/domains/${pinDomainId}`
    const issued = await server.call('PUT', `${domain}/users/${userId}/token`, { headers: countersign })
    const { code, link } = issued.body
    const linkSecret = new URLSearchParams(new URL(link).hash.slice(1)).get('s') ?? assert.fail()
    await server.device('activation/begin', { v: 1, code, username: 'nobody' })
    await server.device('activation/begin', `{"v":1,"code":"${code}`)
    const device = await TestDevice.activate(server, { code, username, pin: true })

    const login = (body: object) =>
      server.call('POST', `${domain}/sessions`, { body: { user: { id: userId }, ...body } })
    const { number } = (await login({ numberMatching: true })).body
    const [request] = await device.requests()
    assert.ok(request)
    await device.approveWithWrongPin(request)
    const approval = await device.sign('answer', await device.approvalPayload(request, { num: number }))
    assert.equal((await server.device('answer', approval)).body.state, 'approved')
    await server.device('answer', `${approval}x`)

    const bypass = await newBypassCode(server, userId)
    const fob = await newFob(server, userId)
    const otp = fob.otp()
    const wrong = { bypasscode: '271828182', otp: 'wrong-otp-canary' }
    const rights = { bypasscode: bypass.code, otp }
    for (const right of Object.entries(rights)) {
      assert.equal((await login(Object.fromEntries([right]))).body.state, 'approved')
    }
    for (const [method, right] of Object.entries(rights)) {
      await login({ [method]: right })
      for (let tries = 0; tries < 10; tries++) await login({ [method]: wrong[method === 'otp' ? 'otp' : 'bypasscode'] })
      await login({ [method]: right, more: 'x' })
      await server.call('POST', `${domain}/sessions`, { body: `{"user":{"id":"${userId}"},"${method}":"${right}"` })
    }
    assert.ok(server.logged.some(({ alarm }) => alarm === 'codes.locked'))
    await brokenTransport(apiKey, bypass.code)
    const [, evidence = '', signature = ''] = approval.split('.')
    const shared = { apiKey, code, linkSecret, number, evidence, signature }
    return { ...shared, bypass: bypass.code, otp: `"${otp}"`, wrongBypass: wrong.bypasscode, wrongOtp: wrong.otp }
  }

  /** What Node and Fastify say of requests that they cannot read, and what we say of one that fails inside. */
  async function brokenTransport(apiKey: string, code: string): Promise<void> {
    const key = `Authorization: LoginTC key="${apiKey}"`
    for (const request of [
      `GET /api/ping?${code} HTTP/1.1\r\n${key}\r\nbroken header ${code}\r\n\r\n`,
      `GET /api/bypasscodes/${code}%zz HTTP/1.1\r\n${key}\r\n\r\n`,
      `GET /api/users?username=\xe9${code} HTTP/1.1\r\n${key}\r\n\r\n`,
      `POST /api/users HTTP/1.1\r\n${key}\r\nContent-Length: x${code}\r\n\r\n`,
    ]) {
      await exchange(server.apiUrl, request)
    }
    const { secrets } = server.app
    server.app.secrets = {
      ...secrets,
      mac() {
        throw Object.assign(new Error('injected'), { detail: `Key (code)=(${code})`, authorization: key, code: 'E1' })
      },
    }
    const failed = await server.device('activation/begin', { v: 1, code, username: 'x' })
    server.app.secrets = secrets
    assert.equal(failed.status, 500)
    const line = server.logged.find(({ level }) => level === 50)
    assert.deepEqual([line?.errorCode, line?.where], ['internal', 'POST /device/v1/activation/begin'])
    assert.ok(line && JSON.stringify(line.err).includes('"code":"E1"'), 'the kind of an error is no secret')
  }
})

it('a secret is held back by the name of its member, however deep it stands and however the name is written', () => {
  const lines: string[] = []
  const log = openLog('trace', { write: (line) => void lines.push(line) })
  const secret = 's3cret'
  for (const name of [
    'code',
    'bypass_code',
    'bypasscode',
    'otp',
    'pin',
    'Authorization',
    'api-key',
    'seed',
    'password',
  ]) {
    const err = Object.assign(new Error('x', { cause: { [name]: secret } }), {
      [name === 'code' ? 'pin' : name]: secret,
    })
    log.trace({ [name]: secret, deep: [{ er: { [name]: secret } }], err, bytes: Buffer.from(secret) }, 'x')
  }
  assert.equal(lines.length, 9)
  for (const line of lines) {
    assert.ok(line.includes('[redacted]'))
    assert.ok(!line.includes(secret) && !line.includes(JSON.stringify(Buffer.from(secret))), line)
  }
})
