import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { auditOf } from '../support/audit.ts'
import { judged, newBypassCode, newFob } from '../support/codes.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newUser } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { sql } from '../support/sql.ts'

const ciphers = ['', 'v1.gone.AAAA.AAAA']

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const alarms = (alarm: string, rowId: string) =>
    server.logged.filter((line) => line.alarm === alarm && line.rowId === rowId).length

  it('T37: a bypass code that does not decrypt is an alarm, is shown without its digits, and can be deleted', async () => {
    const { userId } = await newUser(server)
    const [broken, good] = [await newBypassCode(server, userId), await newBypassCode(server, userId)]
    for (const cipher of ciphers) {
      await sql(server.database, 'update bypass_codes set code_cipher = ? where id = ?', cipher, broken.id)
      const { body: all } = await server.call('GET', `/api/users/${userId}/bypasscodes`)
      const { body: part } = await server.call('GET', `/admin/v1/users/${userId}/bypass-codes`)
      for (const list of [all, part.items]) {
        const shown = list.map(({ id, code }: { id: string; code: string }) => [id, code])
        const wanted = [broken, good].map(({ id, code }) => [id, id === broken.id ? '' : code])
        assert.deepEqual(shown.sort(), wanted.sort())
      }
      for (const path of [`/api/bypasscodes/${broken.id}`, `/admin/v1/bypass-codes/${broken.id}`]) {
        const { status, body } = await server.call('GET', path)
        assert.deepEqual([status, body.code], [200, ''])
      }
      assert.equal(await judged(server, { id: userId }, { bypasscode: '' }), 'wrong_code')
    }
    assert.ok(alarms('bypass_code.tampered', broken.id) > 0)
    const events = await auditOf(server, { event: 'bypass_code.tampered' })
    assert.deepEqual(events, [{ event: 'bypass_code.tampered', data: { id: broken.id } }])
    assert.equal((await server.call('DELETE', `/api/bypasscodes/${broken.id}`)).status, 200)
    assert.equal(await judged(server, { id: userId }, { bypasscode: good.code }), 'approved')
  })

  it('T37: a hardware token whose seed does not decrypt is an alarm, and every password of it is wrong', async () => {
    const { userId } = await newUser(server)
    const fob = await newFob(server, userId)
    const resync = () => {
      const body = { otp1: fob.otp(), otp2: fob.otp(1) }
      return server.call('POST', `/admin/v1/hardware/${fob.id}/resync`, { body })
    }
    const other = await newFob(server, undefined)
    const [row] = await sql(server.database, 'select seed_cipher from hardware_tokens where id = ?', other.id)
    for (const cipher of [...ciphers, String(row?.seed_cipher)]) {
      await sql(server.database, 'update hardware_tokens set seed_cipher = ? where id = ?', cipher, fob.id)
      for (const otp of [fob.otp(), other.otp()])
        assert.equal(await judged(server, { id: userId }, { otp }), 'wrong_code')
      assert.equal((await resync()).status, 400)
    }
    assert.ok(alarms('hardware.tampered', fob.id) > 0)
    const events = await auditOf(server, { event: 'hardware.tampered' })
    assert.deepEqual(events, [{ event: 'hardware.tampered', data: { id: fob.id } }])
    assert.equal((await server.call('DELETE', `/api/hardware/${fob.id}`)).status, 200)
  })

  const alarmsInLog = async (event: string, userId: string) =>
    (await auditOf(server, { event, user_id: userId })).map(({ data }) => data)
  const codeNobodyHas = '000000000'

  it('T37: a bypass code that was given to another user by SQL approves nobody, and is an alarm; back again, it works', async () => {
    const [{ userId: alice }, { userId: bob }] = [await newUser(server), await newUser(server)]
    const moved = await newBypassCode(server, alice)
    const own = await newBypassCode(server, bob)
    const give = (userId: string) =>
      sql(server.database, 'update bypass_codes set user_id = ? where id = ?', userId, moved.id)
    await give(bob)
    for (const userId of [alice, bob]) {
      assert.equal(await judged(server, { id: userId }, { bypasscode: moved.code }), 'wrong_code')
      assert.equal(await judged(server, { id: userId }, { bypasscode: codeNobodyHas }), 'wrong_code')
    }
    assert.equal((await server.call('GET', `/api/bypasscodes/${moved.id}`)).body.code, '')
    assert.deepEqual(await alarmsInLog('bypass_code.tampered', bob), [{ id: moved.id }])
    assert.equal(await judged(server, { id: bob }, { bypasscode: own.code }), 'approved')
    await give(alice)
    assert.equal(await judged(server, { id: alice }, { bypasscode: moved.code }), 'approved')
    assert.deepEqual(await alarmsInLog('bypass_code.tampered', alice), [])
  })

  for (const owned of [true, false]) {
    const whose = owned ? 'another user’s' : 'nobody’s'
    it(`T37: a hardware token, ${whose}, that was given to somebody by SQL approves nobody, and is an alarm`, async () => {
      const [{ userId: alice }, { userId: bob }] = [await newUser(server), await newUser(server)]
      const fob = await newFob(server, owned ? alice : undefined)
      const resync = async () => {
        const body = { otp1: fob.otp(1), otp2: fob.otp(2) }
        return (await server.call('POST', `/admin/v1/hardware/${fob.id}/resync`, { body })).status
      }
      await sql(server.database, 'update hardware_tokens set user_id = ? where id = ?', bob, fob.id)
      for (const userId of [alice, bob])
        assert.equal(await judged(server, { id: userId }, { otp: fob.otp() }), 'wrong_code')
      assert.equal(await resync(), 400)
      assert.deepEqual(await alarmsInLog('hardware.tampered', bob), [{ id: fob.id }])
      // Who takes it away and gives it again does not make it good: it still is whose it was.
      await server.call('DELETE', `/api/users/${bob}/hardware`)
      await sql(server.database, 'update hardware_tokens set user_id = null where id = ?', fob.id)
      const give = async (userId: string) =>
        assert.equal((await server.call('PUT', `/api/users/${userId}/hardware/${fob.id}`)).status, 200)
      await give(owned ? bob : alice)
      const verdict = await judged(server, { id: owned ? bob : alice }, { otp: fob.otp() })
      assert.equal(verdict, owned ? 'wrong_code' : 'approved')
    })
  }

  it('a hardware token works for each who has it in turn, with the seed that was never sent again', async () => {
    const users = [await newUser(server), await newUser(server), await newUser(server)]
    const fob = await newFob(server, undefined)
    for (const [ahead, { userId }] of users.entries()) {
      const spare = await newFob(server, userId)
      assert.equal((await server.call('PUT', `/api/users/${userId}/hardware/${fob.id}`)).status, 200)
      assert.equal(await judged(server, { id: userId }, { otp: fob.otp(ahead - 1) }), 'approved')
      const path = ahead === 1 ? `/api/users/${userId}` : `/api/users/${userId}/hardware`
      assert.equal((await server.call('DELETE', path)).status, 200)
      assert.equal((await server.call('GET', `/api/hardware/${spare.id}`)).body.user, '')
    }
  })
})
