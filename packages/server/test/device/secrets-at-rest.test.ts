import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { fromBase64url, toBase64url } from '@countersign/protocol/base64url.ts'
import { derivePinKey, importHmacKey, pinProof, unlockBinding } from '@countersign/protocol/unlock.ts'
import { challengeHash, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import { countersign, newUser } from '../support/phones.ts'
import { type Reply, startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Of these 128 random bits and more a plain hash may be kept. */
const longRandom = new Set(['aid', 'nonce', 'apiKey'])

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  it('T34: no secret of a whole story is in the database, its files, the log or an error, in clear or as a hash without a key', async () => {
    const { secrets, errors } = await story()
    const places = { database: await everythingStored(), log: JSON.stringify(server.logged), errors: errors.join('\n') }
    assert.ok(places.database.includes('session.approved') && places.database.includes('token.factor_changed'))
    for (const [name, secret] of Object.entries(secrets)) {
      const forms = longRandom.has(name) ? encodingsOf(secret) : formsOf(secret)
      for (const [form, text] of Object.entries(forms)) {
        for (const [place, content] of Object.entries(places)) {
          assert.ok(!appears(text, content), `${name} (${form}) is in the ${place}`)
        }
      }
    }
  })

  it('T34: whoever has the database and the phone, but not the keyring, cannot tell a right PIN from a wrong one', async () => {
    const image = await phoneImage()
    const device = image.device
    const request = await ask(device, false)
    const approval = await device.approvalPayload(request)
    assert.equal((await server.device('answer', await device.sign('answer', approval))).status, 200)
    const stored = await everythingStored()
    // All that the thief needs to rebuild what the right PIN makes is there …
    for (const known of [request.ch, request.sid, String(approval.jti)]) assert.ok(stored.includes(known))
    const pinKey = await derivePinKey('482913', { ...image, tid: device.tid })
    const hash = await challengeHash(request.ch)
    const uvb = await unlockBinding({ tid: device.tid, op: 'answer', ref: request.sid, ans: 'approve', hash })
    const proof = await pinProof(pinKey, uvb)
    assert.equal((approval.uv as { p: string }).p, proof)
    const payload = Buffer.from(JSON.stringify(approval))
    // … and nothing to compare it with.
    const made: Record<string, Bytes | string> = {
      pinKey,
      proof,
      uvb,
      payload: payload.toString(),
      encoded: payload.toString('base64url'),
    }
    for (const [name, secret] of Object.entries(made)) {
      for (const [form, text] of Object.entries(formsOf(secret))) assert.ok(!appears(text, stored), `${name} (${form})`)
    }
  })

  /** What a copy of the whole phone holds: all but the PIN. */
  async function phoneImage() {
    const salt = new Uint8Array(randomBytes(16))
    const mixKey = await importHmacKey(new Uint8Array(randomBytes(32)))
    const { userId, username } = await newUser(server)
    const { body } = await server.call('PUT', `/api/domains/${server.acme.pinDomainId}/users/${userId}/token`)
    const { body: begun } = await server.device('activation/begin', { v: 1, code: body.code, username })
    const device = await TestDevice.prepare(server, begun.tid, { username, pin: true })
    device.pinKey = await derivePinKey('482913', { salt, mixKey, tid: device.tid })
    assert.equal((await server.device('activation/finish', await device.finishMessage(begun))).status, 200)
    return { device, salt, mixKey }
  }

  /** Does what this server can do, and remembers every secret and every refusal. */
  async function story() {
    const errors: string[] = []
    const refused = (reply: Reply) => {
      assert.notEqual(reply.status, 200, reply.text)
      errors.push(reply.text)
    }
    const { userId, username } = await newUser(server)
    const token = `/api/domains/${server.acme.pinDomainId}/users/${userId}/token`
    const { body: issued } = await server.call('PUT', token, { headers: countersign })
    await server.call('GET', token)
    const linkSecret = new URLSearchParams(new URL(issued.link).hash.slice(1)).get('s') ?? ''
    const begin = { v: 1, code: issued.code, username }
    refused(await server.device('activation/begin', { ...begin, username: 'nobody' }))
    refused(await server.device('activation/begin', `{"code":"${issued.code}","secret":"${linkSecret}"`))
    refused(await server.device('activation/begin', { ...begin, more: linkSecret }))
    const { body: begun } = await server.device('activation/begin', begin)
    const device = await TestDevice.prepare(server, begun.tid, { username, pin: true })
    const finish = await device.finishMessage(begun)
    refused(await server.device('activation/finish', `${finish}.${issued.code}`))
    assert.equal((await server.device('activation/finish', finish)).status, 200)
    refused(await server.device('activation/begin', begin))

    const request = await ask(device, true)
    refused(await device.approveWithWrongPin(request))
    refused(await device.approve(request, { num: `${request.number} ` }))
    const approval = await device.sign('answer', await device.approvalPayload(request, { num: request.number }))
    assert.equal((await server.device('answer', approval)).body.state, 'approved')
    const { p: proof } = JSON.parse(atob(approval.split('.')[1] ?? '')).uv

    const oldPinKey = device.pinKey ?? assert.fail()
    const newPinKey = new Uint8Array(randomBytes(32))
    const common = device.common('factor')
    const uv = {
      m: 'pin',
      p: await device.proof({ op: 'factor', ref: String(common.jti), ans: 'change', hash: new Uint8Array(32) }),
    }
    const factor = { m: 'pin', k: toBase64url(newPinKey), kind: 'pin', len: 6 }
    const changed = await server.device('factor', await device.sign('factor', { ...common, factor, uv }))
    assert.equal(changed.status, 200, changed.text)

    const bypass = '918273645'
    const otp = 'canary-of-an-otp'
    const sessions = `/api/domains/${server.acme.pinDomainId}/sessions`
    for (const code of [{ bypasscode: bypass }, { otp }])
      await server.call('POST', sessions, { body: { user: { id: userId }, ...code } })
    const wrongKey = 'canary0123'.repeat(7).slice(0, 64)
    refused(await server.call('GET', '/api/ping', { key: wrongKey }))
    refused(await server.call('POST', sessions, { body: `{"user":{"id":"${userId}"},"otp":"${otp}"` }))
    await failInside(device, errors)
    await server.restart()
    const evidence = approval.split('.')[1] ?? ''
    const { aid, nonce } = begun
    const { apiKey } = server.acme
    const number = request.number
    return {
      errors,
      secrets: {
        code: String(issued.code),
        linkSecret,
        aid,
        nonce,
        apiKey,
        wrongKey,
        oldPinKey,
        newPinKey,
        proof,
        evidence,
        number,
        bypass,
        otp,
      },
    }
  }

  /** An exception in the middle of an answer, which the operator reads about. */
  async function failInside(device: TestDevice, errors: string[]): Promise<void> {
    const { secrets } = server.app
    const request = await ask(device, true)
    const decrypt = () => {
      throw new Error('injected')
    }
    server.app.secrets = { ...secrets, decrypt }
    const reply = await device.approve(request, { num: request.number })
    server.app.secrets = secrets
    assert.equal(reply.status, 500)
    errors.push(reply.text)
    assert.ok(server.logged.some(({ err }) => (err as Error | undefined)?.message === 'injected'))
  }

  async function ask(device: TestDevice, numberMatching: boolean) {
    const path = `/api/domains/${server.acme.pinDomainId}/sessions`
    const { body } = await server.call('POST', path, { body: { user: { username: device.username }, numberMatching } })
    const request = (await device.requests()).find(({ sid }) => sid === body.id)
    assert.ok(request)
    return { ...request, number: String(body.number) }
  }

  /** Every row of every table, and every byte of every file but the keyring. */
  async function everythingStored(): Promise<string> {
    const rows = JSON.stringify(await dump(server.database))
    const { data } = server.database
    const files = readdirSync(data).filter((file) => file !== 'keyring.json' && statSync(join(data, file)).isFile())
    return [rows, ...files.map((file) => readFileSync(join(data, file), 'latin1'))].join('\n')
  }
})

/** The ways in which somebody might have written a secret down. */
function formsOf(secret: Bytes | string): Record<string, string> {
  const raw = typeof secret === 'string' ? fromBase64url(secret) : undefined
  return {
    ...encodingsOf(secret),
    ...encodings('hashed', sha256(secret)),
    ...(raw ? encodings('decoded and hashed', sha256(raw)) : {}),
  }
}

function encodingsOf(secret: Bytes | string): Record<string, string> {
  const bytes = typeof secret === 'string' ? Buffer.from(secret) : Buffer.from(secret)
  return { clear: typeof secret === 'string' ? secret : bytes.toString('latin1'), ...encodings('encoded', bytes) }
}

function sha256(secret: Bytes | string): Buffer {
  return createHash('sha256').update(secret).digest()
}

function encodings(name: string, bytes: Buffer): Record<string, string> {
  return {
    [`${name}, hex`]: bytes.toString('hex'),
    [`${name}, base64`]: bytes.toString('base64'),
    [`${name}, base64url`]: bytes.toString('base64url'),
  }
}

/** Short secrets only where they stand alone: six digits are also somewhere in a random id. */
function appears(text: string, content: string): boolean {
  if (text.length > 12) return content.includes(text)
  return new RegExp(`(?<![0-9A-Za-z_-])${text.replace(/[^0-9A-Za-z]/g, '\\$&')}(?![0-9A-Za-z_-])`).test(content)
}
