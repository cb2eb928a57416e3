import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { messageType } from '@countersign/protocol/device-messages.ts'
import { signMessage, thumbprint } from '@countersign/protocol/jws.ts'
import { sha256 } from '@countersign/protocol/unlock.ts'
import { challengeHash, newJti, newKeys, publicJwk } from '../support/device.ts'
import { onEveryEngine } from '../support/engines.ts'
import {
  type Arena,
  auditedOf,
  Duel,
  expectOk,
  newRacer,
  outcomeOf,
  type Racer,
  rounds,
  startArena,
  Tally,
} from '../support/races.ts'

const wrong = { uv: { m: 'pin', p: 'A'.repeat(43) } }

onEveryEngine((engine) => {
  let arena: Arena
  before(async () => {
    arena = await startArena(engine)
  })
  after(() => arena.stop())

  const biometricDomain = async (): Promise<string> => {
    const body = { name: 'Biometric', keyType: 'BIOMETRIC' }
    return (await arena.fronts[0].call('POST', '/admin/v1/domains', { body })).body.id
  }
  const stateOf = async ({ sessions }: Racer, sid: string) =>
    (await expectOk(arena.fronts[1].call('GET', `${sessions}/${sid}`))).body.state

  it('T08: the right PIN and a fifth wrong one at once: the count is back at zero, or the token is revoked', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    const [here, there] = arena.fronts
    await rounds({ count: 40, lanes: 4 }, async () => {
      const phone = await newRacer(here, { pin: true })
      const [first, second] = [await phone.ask(), await phone.ask()]
      for (let number = 0; number < 4; number++) {
        assert.equal((await here.device('answer', await phone.approval(first, wrong))).status, 403)
      }
      const messages = { right: await phone.approval(first), fifth: await phone.approval(second, wrong) }
      const [right, fifth] = await duel.run(
        () => there.device('answer', messages.right),
        () => here.device('answer', messages.fifth),
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(right))
      assert.equal(outcomeOf(fifth), '403 factor_failed')
      assert.equal(fifth.body.remaining, right.status === 200 ? 4 : 0)
      assert.equal(await stateOf(phone, first.sid), right.status === 200 ? 'approved' : 'denied')
      assert.equal(await stateOf(phone, second.sid), right.status === 200 ? 'pending' : 'denied')
      assert.equal((await there.call('GET', phone.token)).status, right.status === 200 ? 200 : 404)
    })
    tally.assertOnly('ok', '410 token_revoked')
  })

  it('T08: the right assertion and a fifth wrong one at once: the count is back at zero, or the token is revoked', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    const [here, there] = arena.fronts
    const domainId = await biometricDomain()
    await rounds({ count: 30, lanes: 4 }, async () => {
      const phone = await newRacer(here, { platform: true, domainId })
      const [first, second] = [await phone.ask(), await phone.ask()]
      for (let number = 0; number < 4; number++)
        assert.equal((await here.device('answer', await forged(phone, first))).status, 403)
      const messages = { right: await phone.approval(first), fifth: await forged(phone, second) }
      const [right, fifth] = await duel.run(
        () => there.device('answer', messages.right),
        () => here.device('answer', messages.fifth),
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(right))
      assert.equal(fifth.body.remaining, right.status === 200 ? 4 : 0)
      assert.equal(await stateOf(phone, first.sid), right.status === 200 ? 'approved' : 'denied')
    })
    tally.assertOnly('ok', '410 token_revoked')
  })

  it('of two assertions with the same count, sent to two nodes at once, one approves and the other is a copy’s', async () => {
    const [here, there] = arena.fronts
    const domainId = await biometricDomain()
    await rounds({ count: 15, lanes: 3 }, async () => {
      const phone = await newRacer(here, { platform: true, domainId })
      const [first, second] = [await phone.ask(), await phone.ask()]
      const one = await phone.approval(first)
      if (phone.device.platform) phone.device.platform.signCount--
      const other = await phone.approval(second)
      const replies = await Promise.all([here.device('answer', one), there.device('answer', other)])
      assert.deepEqual(replies.map(outcomeOf).sort(), ['403 factor_failed', 'ok'])
    })
  })

  it('an approval under the old key, sent while the key is rotated, is accepted or can be signed again with the new one', async () => {
    const [duel, tally] = [new Duel(), new Tally()]
    const [here, there] = arena.fronts
    await rounds({ count: 60, lanes: 4 }, async () => {
      const phone = await newRacer(here, { pin: true })
      const request = await phone.ask()
      const keys = await newKeys()
      const messages = { old: await phone.approval(request), rotate: await rotation(phone, keys) }
      const [old] = await duel.run(
        () => there.device('answer', messages.old),
        () => expectOk(here.device('rotate', messages.rotate)),
        ({ status }) => status === 200,
      )
      tally.add(outcomeOf(old))
      phone.device.keys = keys
      const again = await there.device('answer', await phone.approval(request))
      assert.equal(outcomeOf(again), old.status === 200 ? '409 session_closed' : 'ok')
      assert.equal(await stateOf(phone, request.sid), 'approved')
      assert.equal((await auditedOf(arena.database, request))['session.approved'], 1)
    })
    tally.assertOnly('ok', '401 bad_signature')
  })

  it('of two rotations at once one wins, and only its key signs', async () => {
    const [here, there] = arena.fronts
    await rounds({ count: 20, lanes: 2 }, async () => {
      const phone = await newRacer(here, { pin: true })
      const keys = [await newKeys(), await newKeys()] as const
      const messages = [await rotation(phone, keys[0]), await rotation(phone, keys[1])] as const
      const replies = await Promise.all([here.device('rotate', messages[0]), there.device('rotate', messages[1])])
      assert.deepEqual(replies.map(outcomeOf).sort(), ['401 bad_signature', 'ok'])
      const winner = replies[0].status === 200 ? 0 : 1
      for (const index of [0, 1] as const) {
        phone.device.keys = keys[index]
        assert.equal((await phone.device.poll()).ok, index === winner)
      }
    })
  })
})

/** An approval whose assertion is right but for its signature, so that it takes as long to judge. */
async function forged(phone: Racer, request: { sid: string; ch: string }): Promise<string> {
  const { device } = phone
  const hash = await challengeHash(request.ch)
  const signature = device.platform?.signed(hash, hash).toString('base64url') ?? ''
  const binding = { op: 'answer', ref: request.sid, ans: 'approve', hash } as const
  return phone.approval(request, { uv: { m: 'webauthn', resp: await device.assertion(binding, { signature }) } })
}

/** The message that makes these keys the device's. */
async function rotation({ device }: Racer, keys: CryptoKeyPair): Promise<string> {
  const jti = newJti()
  const key = await publicJwk(keys)
  const { aud, tid, iat } = device.common('newkey')
  const newKey = { v: 1, op: 'newkey', aud, tid, iat, jti }
  const proof = await signMessage(keys.privateKey, messageType('newkey'), device.tid, newKey)
  const hash = await sha256(new TextEncoder().encode(await thumbprint(key)))
  const uv = { m: 'pin', p: await device.proof({ op: 'rotate', ref: jti, ans: 'rotate', hash }) }
  return device.sign('rotate', { ...device.common('rotate'), jti, key, proof, uv })
}
