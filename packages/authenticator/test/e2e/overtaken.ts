// What happens elsewhere while a request is on the screen, and what a reload leaves of it.
import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { askFor } from '../support/asking.ts'
import type { Stage } from '../support/stage.ts'
import { breakOff, choosePin, domainsOf, keyholder, phoneWithKey, visitorOn } from '../support/visitor.ts'

/** What becomes of a request that is on the screen. */
export function overtaken(stage: Stage): void {
  let domainId: string
  let pinDomainId: string
  let token: string

  before(() => {
    const { acme } = stage.server
    domainId = acme.domainId
    pinDomainId = acme.pinDomainId
    token = `/api/domains/${domainId}/users/${acme.alice}/token`
  })

  const asked = async (extra: object = {}) => {
    const phone = await keyholder(stage, domainId)
    const request = await askFor(stage.server, domainId, extra)
    await phone.sees('Are you signing in?')
    return { phone, ...request }
  }

  it('is cancelled where it was started: it goes at once, and says so', async () => {
    const { phone, path } = await asked()
    await stage.server.call('DELETE', path)
    const start = performance.now()
    await phone.sees('Cancelled')
    assert.ok(performance.now() - start < 2_000)
    await phone.press('Done')
  })

  it('says that the time is up', async () => {
    const { phone, verdict } = await asked()
    stage.server.clock.advance(600_001)
    await phone.sees('Time is up')
    assert.notEqual(await verdict(), 'approved')
    await phone.press('Done')
  })

  it('keeps its place while it is asked why it is denied, though a newer one comes', async () => {
    const { phone, verdict } = await asked()
    await phone.answer('Deny')
    await phone.sees('Why are you denying this?')
    const newer = await askFor(stage.server, domainId)
    await phone.reads('2 requests wait.')
    await phone.press(/^I started this by mistake/)
    await phone.sees('Denied')
    assert.deepEqual([await verdict(), await newer.verdict()], ['denied', 'pending'])
    await stage.server.call('DELETE', newer.path)
    await phone.reachList()
  })

  it('says what an approval that could not be taken back may mean', async () => {
    const { phone, verdict } = await asked()
    await phone.answer('Approve')
    await phone.sees('Approved')
    stage.expect(/ERR_FAILED/)
    const { waiting, mend } = await breakOff(phone, '/answer', 'message')
    await phone.press('That wasn’t me after all')
    await waiting
    stage.server.clock.advance(121_000)
    // The poll brings the time with it.
    const newer = await askFor(stage.server, domainId)
    await stage.server.call('DELETE', newer.path)
    await phone.reads('Someone may have got in')
    assert.equal(await verdict(), 'approved')
    await mend()
  })

  it('is approved in one tab: the other one says that it is over, and the phone remembers what it was', async () => {
    const phone = await keyholder(stage, domainId)
    const page = await phone.context.newPage()
    await page.goto(stage.server.deviceUrl)
    const other = visitorOn(page)
    await other.sees('Nothing to answer')
    const { waiting, mend } = await breakOff(phone, '/sync')
    const { verdict } = await asked()
    await other.answer('Approve')
    await other.sees('Approved')
    assert.equal(await verdict(), 'approved')
    await waiting
    await mend()
    await phone.sees('Already answered on another device')
    await page.close()
    await phone.press('Done')
    await phone.press(/Acme VPN/)
    await phone.reads(/^Approved/)
    assert.equal(await phone.page.getByText('Answered elsewhere').count(), 0)
    await phone.press('Back')
  })

  it('is there again after a reload, with nothing typed, and after one in the sheet that asks why', async () => {
    const { phone, number, verdict } = await asked({ numberMatching: true })
    await phone.fills('Type the number shown where you are signing in', number)
    await phone.page.reload()
    await phone.sees('Are you signing in?')
    assert.equal(await phone.page.getByLabel('Type the number').inputValue(), '')
    await phone.answer('Deny')
    await phone.page.reload()
    await phone.sees('Are you signing in?')
    assert.equal(await verdict(), 'pending')
    await phone.answer('Deny')
    await phone.press(/^I started this by mistake/)
    await phone.sees('Denied')
    await phone.press('Done')
  })

  it('is over after an approval, also when the page is loaded again', async () => {
    const { phone, verdict } = await asked()
    await phone.answer('Approve')
    await phone.sees('Approved')
    await phone.page.reload()
    await phone.sees('Nothing to answer')
    assert.equal(await verdict(), 'approved')
  })

  it('is asked again when the page is loaded again before the answer has left', async () => {
    const { phone, verdict } = await asked()
    stage.expect(/ERR_FAILED/)
    const { waiting, mend } = await breakOff(phone, '/answer', 'message')
    await phone.answer('Approve')
    await phone.reads('Your answer has not arrived yet.')
    await waiting
    await phone.page.reload()
    await phone.sees('Are you signing in?')
    await mend()
    assert.equal(await verdict(), 'pending')
    await phone.answer('Approve')
    await phone.sees('Approved')
    assert.equal(await verdict(), 'approved')
    await phone.press('Done')
  })

  it('T32: goes with its key when that is revoked, and nothing of the key is left on the phone', async () => {
    const { phone } = await asked()
    await stage.server.call('DELETE', token)
    await phone.sees('This key has ended')
    assert.deepEqual(await domainsOf(phone.page), [])
  })

  it('T32: a key that is removed on the phone is gone there and on the server', async () => {
    const phone = await phoneWithKey(stage, domainId)
    await phone.press(/Acme VPN/)
    await phone.press('Remove from this phone')
    await phone.press('Remove')
    await phone.sees('Your password asks.')
    assert.deepEqual(await domainsOf(phone.page), [])
    assert.equal((await stage.server.call('GET', token)).status, 404)
  })

  it('asks for the PIN once more after a reload while it was asked for', async () => {
    const phone = await phoneWithKey(stage, pinDomainId, choosePin)
    const { verdict } = await askFor(stage.server, pinDomainId)
    await phone.answer('Approve')
    await phone.page.keyboard.type('4829')
    await phone.page.reload()
    await phone.answer('Approve')
    await phone.sees('Type your PIN to approve')
    await phone.page.keyboard.type('482913')
    await phone.sees('Approved')
    assert.equal(await verdict(), 'approved')
  })
}
