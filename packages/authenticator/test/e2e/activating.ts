// Adding a key: by link, by code and by camera, and what interrupts it.
import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import type { Stage } from '../support/stage.ts'
import { breakOff, choosePin, domainsOf, invite, type Visitor } from '../support/visitor.ts'

const dayMs = 86_400_000

/** The ways to a key, and what interrupts them. */
export function activating(stage: Stage): void {
  let domainId: string
  let pinDomainId: string

  before(() => {
    const { acme } = stage.server
    domainId = acme.domainId
    pinDomainId = acme.pinDomainId
  })
  const state = async () => {
    const path = `/api/domains/${domainId}/users/${stage.server.acme.alice}/token`
    return (await stage.server.call('GET', path)).body.state as string
  }
  const typeCode = async (phone: Visitor, code: string) => {
    await phone.press('Type the code')
    await phone.fills('Code', code)
    await phone.press('Continue')
  }
  const presentCode = async (phone: Visitor, code: string) => {
    await typeCode(phone, code)
    await phone.fills('Your user name', 'alice')
    await phone.press('Continue')
  }

  it('by a link, whose secrets leave the address bar and the history at once', async () => {
    const { path, code } = await invite(stage, domainId)
    const phone = await stage.visit(path)
    await phone.sees('Is this you?')
    assert.equal(phone.page.url(), `${stage.server.deviceUrl}/`)
    const devtools = await phone.context.newCDPSession(phone.page)
    const { entries } = await devtools.send('Page.getNavigationHistory')
    assert.ok(path.includes(code) && !JSON.stringify(entries.map(({ url }) => url)).includes(code))
    await phone.press('Yes, add this key')
    await phone.sees('Your key is ready.')
    assert.equal(await state(), 'active')
  })

  it('by a typed code and user name', async () => {
    const { code } = await invite(stage, domainId)
    const phone = await stage.visit()
    await presentCode(phone, code)
    await phone.press('Yes, add this key')
    await phone.sees('Your key is ready.')
    assert.equal(await state(), 'active')
  })

  it('by a QR code before the camera', async () => {
    stage.hold((await invite(stage, domainId)).link)
    const phone = await stage.visit()
    await phone.press('Scan the QR code')
    await phone.press('Yes, add this key')
    await phone.sees('Your key is ready.')
    assert.equal(await state(), 'active')
  })

  it('not by the QR code of something else', async () => {
    stage.hold('https://example.org/a#c=d2mfr24k8r')
    const phone = await stage.visit()
    await phone.press('Scan the QR code')
    await phone.reads(/^This (QR code is not from your organization|code is for another server)/)
    assert.deepEqual(await domainsOf(phone.page), [])
  })

  it('not when the user says that it is somebody else', async () => {
    const phone = await stage.visit((await invite(stage, domainId)).path)
    await phone.press('No, this isn’t me')
    await phone.sees('Your password asks.')
    assert.equal(await state(), 'pending')
  })

  it('from the start again, after a reload in any step before the key is stored', async () => {
    const { code } = await invite(stage, pinDomainId)
    const phone = await stage.visit()
    const again = async () => {
      await phone.page.reload()
      await phone.sees('Your password asks.')
      assert.deepEqual(await domainsOf(phone.page), [])
    }
    await phone.press('Type the code')
    await phone.fills('Code', code)
    await again()
    await typeCode(phone, code)
    await phone.fills('Your user name', 'alice')
    await again()
    const breach = await breakOff(phone, '/activation/begin')
    await presentCode(phone, code)
    await phone.sees('One moment…')
    await again()
    await breach.mend()
    await presentCode(phone, code)
    await phone.sees('Is this you?')
    await again()
    await presentCode(phone, code)
    await phone.press('Yes, add this key')
    await phone.sees('Choose a 6-digit PIN')
    await phone.page.keyboard.type('482913')
    await phone.sees('Type it once more')
    await again()
    await presentCode(phone, code)
    await phone.press('Yes, add this key')
    await choosePin(phone)
    await phone.sees('Your key is ready.')
    await phone.page.reload()
    await phone.sees('Nothing to answer')
    assert.deepEqual(await domainsOf(phone.page), [pinDomainId])
  })

  for (const lost of ['answer', 'message'] as const) {
    it(`by itself after a reload in the last step, where the ${lost} was lost`, async () => {
      const phone = await stage.visit((await invite(stage, domainId)).path)
      stage.expect(/ERR_FAILED/)
      const { waiting, mend } = await breakOff(phone, '/activation/finish', lost)
      await phone.press('Yes, add this key')
      await phone.sees('Almost ready…')
      await phone.reads('No connection.')
      await waiting
      assert.equal(await state(), lost === 'answer' ? 'active' : 'pending')
      await phone.page.reload()
      await mend()
      await phone.reads(/^(Your key is ready\.|Not used yet)$/) // the poll may be the first to hear of it
      assert.equal(await state(), 'active')
    })
  }

  it('with the PIN typed again after a reload in the last step: it is not kept', async () => {
    const phone = await stage.visit((await invite(stage, pinDomainId)).path)
    stage.expect(/ERR_FAILED/)
    const { waiting, mend } = await breakOff(phone, '/activation/finish', 'message')
    await phone.press('Yes, add this key')
    await choosePin(phone)
    await phone.reads('No connection.')
    await waiting
    await phone.page.reload()
    await mend()
    await choosePin(phone)
    await phone.sees('Your key is ready.')
  })

  it('not by a code that has expired', async () => {
    const { code } = await invite(stage, domainId)
    stage.expect(/status of 400/)
    stage.server.clock.advance(366 * dayMs)
    const phone = await stage.visit()
    await presentCode(phone, code)
    await phone.reads('We don’t know this code')
    assert.deepEqual(await domainsOf(phone.page), [])
  })
}
