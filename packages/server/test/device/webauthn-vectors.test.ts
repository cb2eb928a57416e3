import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { registrationChallenge, unlockBinding } from '@countersign/protocol/unlock.ts'
import { verifyAssertion, verifyRegistration } from '../../src/core/webauthn.ts'
import { challengeHash, TestDevice } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import type { TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'
import { insertSession, post, readVectors, resetWorld, startVectorServer, world } from '../support/vector-world.ts'

type Ceremony = Record<string, unknown> & { response: Record<string, string> }
interface Case {
  name: string
  registration_challenge: string
  registration: Ceremony
  sid: string
  challenge: string
  uvb: string
  assertion: Ceremony
}

// Made by Chromium: see scripts/webauthn-vectors.ts.
const { tid, nonce, cases } = readVectors<{ tid: string; nonce: string; cases: Case[] }>('webauthn')

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startVectorServer(engine)
  })
  after(() => server.stop())

  for (const { name, sid, challenge, ...made } of cases) {
    it(`what Chromium registers activates a token, and what it asserts approves a request (${name})`, async () => {
      await resetWorld(server)
      await sql(server.database, `update domains set key_type = 'BIOMETRIC' where key_type = 'PIN'`)
      const device = await TestDevice.prepare(server, tid, { username: 'jane.doe' })
      const finish = (lies: object = {}) =>
        device.finishMessage(world.activation, { factor: { m: 'webauthn', reg: made.registration }, ...lies })
      assert.equal((await post(server, 'activate', await finish())).body.state, 'active')
      assert.equal((await post(server, 'activate', await finish())).body.errors[0].code, 'activation_failed')
      await insertSession(server, { sid, tid, challenge })
      const uv = { m: 'webauthn', resp: made.assertion }
      const answer = async () => device.sign('answer', await device.approvalPayload({ sid, ch: challenge }, { uv }))
      const message = await answer()
      for (let again = 0; again < 2; again++)
        assert.equal((await post(server, 'answer', message)).body.state, 'approved')
      assert.equal((await post(server, 'answer', await answer())).body.errors[0].code, 'session_closed')
      const [row] = await sql(server.database, 'select * from tokens where tid = ?', tid)
      assert.equal(row?.credential_id, made.registration.id)
    })

    it(`an assertion with one bit changed proves nothing (${name})`, async () => {
      const challenges = [await registrationChallenge({ tid, nonce }), await bindingOf(sid, challenge)]
      assert.deepEqual(challenges.map(toText), [made.registration_challenge, made.uvb])
      const register = (reg: Ceremony) => verifyRegistration(server.app, { tid, nonce }, reg)
      const credential = await register(made.registration)
      assert.ok(credential)
      const verify = (resp: Ceremony) =>
        verifyAssertion(server.app, { tid, ...credential }, { resp, uvb: Buffer.from(made.uvb, 'base64url') })
      assert.equal((await verify(made.assertion))?.credentialId, credential.credential_id)
      for (const changed of spoilt(made.assertion, ['clientDataJSON', 'authenticatorData', 'signature']))
        assert.equal(await verify(changed), undefined, JSON.stringify(changed.response))
    })
  }
})

async function bindingOf(sid: string, challenge: string): Promise<Uint8Array> {
  return unlockBinding({ tid, op: 'answer', ref: sid, ans: 'approve', hash: await challengeHash(challenge) })
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

/** The ceremony with one bit changed in each byte of these members, one at a time. */
function* spoilt(made: Ceremony, members: string[]): Generator<Ceremony> {
  for (const member of members) {
    const bytes = Buffer.from(made.response[member] ?? '', 'base64url')
    for (const [index, byte] of bytes.entries()) {
      const changed = Buffer.from(bytes)
      changed[index] = byte ^ (1 << (index % 8))
      yield { ...made, response: { ...made.response, [member]: changed.toString('base64url') } }
    }
  }
}
