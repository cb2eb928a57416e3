// What happens elsewhere while a request is on the screen.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { onSqlite } from '../../../server/test/support/engines.ts'
import { skipWithoutChromium as skip } from '../support/chromium.ts'
import { askFor } from '../support/phone.ts'
import { openStage, phoneWithKey, type Stage, storedKeys, visitorOn } from '../support/visitor.ts'

describe('an open request', { skip }, () => {
  onSqlite((engine) => {
    let stage: Stage
    let domainId: string

    before(async () => {
      stage = await openStage(engine)
      domainId = stage.server.acme.domainId
    })
    afterEach(() => stage.clear())
    after(() => stage?.close())

    it('T32: goes with its key when that is revoked, and nothing of the key is left on the phone', async () => {
      const phone = await phoneWithKey(stage, domainId)
      await askFor(stage.server, domainId)
      await phone.sees('Are you signing in?')
      await stage.server.call('DELETE', `/api/domains/${domainId}/users/${stage.server.acme.alice}/token`)
      await phone.sees('This key has ended')
      assert.equal(await storedKeys(phone.page), 0)
    })

    it('T32: a key that is removed on the phone is gone there and on the server', async () => {
      const phone = await phoneWithKey(stage, domainId)
      await phone.press(/Acme VPN/)
      await phone.press('Remove from this phone')
      await phone.press('Remove')
      await phone.sees('Your password asks.')
      assert.equal(await storedKeys(phone.page), 0)
      const path = `/api/domains/${domainId}/users/${stage.server.acme.alice}/token`
      assert.equal((await stage.server.call('GET', path)).status, 404)
    })

    it('says that it was cancelled', async () => {
      const phone = await phoneWithKey(stage, domainId)
      const { path } = await askFor(stage.server, domainId)
      await phone.sees('Are you signing in?')
      await stage.server.call('DELETE', path)
      await phone.sees('Cancelled')
    })

    it('says that the time is up', async () => {
      const phone = await phoneWithKey(stage, domainId)
      const asked = await askFor(stage.server, domainId)
      await phone.sees('Are you signing in?')
      stage.server.clock.advance(600_001)
      await phone.sees('Time is up')
      assert.notEqual(await asked.verdict(), 'approved')
    })

    it('is approved in one tab, and the other one sees that it is over', async () => {
      const phone = await phoneWithKey(stage, domainId)
      const page = await phone.context.newPage()
      await page.goto(stage.server.deviceUrl)
      const other = visitorOn(page)
      await other.sees('Nothing to answer')
      const asked = await askFor(stage.server, domainId)
      await other.sees('Are you signing in?')
      await phone.sees('Are you signing in?')
      await other.answer('Approve')
      await other.sees('Approved')
      assert.equal(await asked.verdict(), 'approved')
      await phone.page.getByRole('heading', { name: 'Are you signing in?' }).waitFor({ state: 'detached' })
    })

    it('is one of two: each is answered by itself', async () => {
      const phone = await phoneWithKey(stage, domainId)
      const first = await askFor(stage.server, domainId)
      await phone.sees('Are you signing in?')
      const second = await askFor(stage.server, domainId)
      await phone.reads('2 requests wait.')
      await phone.answer('Deny')
      await phone.press(/^I started this by mistake/)
      await phone.sees('Denied')
      assert.deepEqual([await first.verdict(), await second.verdict()].sort(), ['denied', 'pending'])
      await phone.press('Done')
      await phone.sees('Are you signing in?')
    })
  })
})
