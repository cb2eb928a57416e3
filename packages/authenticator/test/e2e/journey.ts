// From the first code to an approved sign-in by what a person sees and presses, and what axe says of each page on the way.
import assert from 'node:assert/strict'
import { afterEach, before, it } from 'node:test'
import { askFor, codeFor } from '../support/asking.ts'
import type { Stage } from '../support/stage.ts'
import { choosePin, keyholder, type Visitor, visitorOn } from '../support/visitor.ts'
import { findings } from './axe.ts'

/** From a code to a sign-in and back. */
export function journey(stage: Stage): void {
  let domainId: string
  const found: string[] = []

  before(() => {
    domainId = stage.server.acme.pinDomainId
  })
  afterEach(() => assert.deepEqual(found.splice(0), []))

  const look = async (phone: Visitor, state: string) => {
    for (const finding of await findings(phone.page, state)) found.push(`${state}: ${finding}`)
  }
  const dial = async (phone: Visitor, digits: string) => {
    for (const digit of digits) await phone.press(digit)
  }

  it('types the code, says who they are, chooses a PIN and has a key', async () => {
    const phone = await stage.visit()
    await phone.sees('Your password asks.')
    await look(phone, 'welcome')
    await phone.press('Type the code')
    await phone.fills('Code', await codeFor(stage.server, domainId))
    await look(phone, 'code')
    await phone.press('Continue')
    await phone.fills('Your user name', 'alice')
    await phone.press('Continue')
    await phone.sees('Is this you?')
    await look(phone, 'confirm')
    await phone.press('Yes, add this key')
    await dial(phone, '123456')
    await phone.reads('Too easy to guess. Choose another.')
    await dial(phone, '482913')
    await phone.sees('Type it once more')
    await phone.page.keyboard.type('482913')
    await phone.sees('Your key is ready.')
    await look(phone, 'ready')
    await phone.reachList()
    await phone.reads('Not used yet')
    await look(phone, 'list')
  })

  it('sees the request come by itself, types number and PIN, is signed in, and takes it back', async () => {
    const phone = await keyholder(stage, domainId, choosePin)
    const asked = { numberMatching: true, attributes: [{ key: 'App', value: 'Wiki' }], ipAddress: '203.0.113.24' }
    const { number, verdict } = await askFor(stage.server, domainId, asked)
    await phone.sees('Are you signing in?')
    for (const shown of ['Acme Bank', 'alice', 'Wiki', '203.0.113.24']) await phone.reads(shown)
    await look(phone, 'request')
    await phone.fills('Type the number shown where you are signing in', number)
    await phone.answer('Approve')
    await phone.sees('Type your PIN to approve')
    await look(phone, 'unlock')
    stage.expect(/status of 403/)
    await dial(phone, '111213')
    await phone.reads('Wrong PIN. 4 tries left.')
    await dial(phone, '482913')
    await phone.sees('Approved')
    await look(phone, 'approved')
    assert.equal(await verdict(), 'approved')
    await phone.press('That wasn’t me after all')
    await phone.sees('Blocked')
    assert.equal(await verdict(), 'denied')
    await phone.press('Done')
    await phone.reads('Paused until')
  })

  it('changes the language, at once, in every tab and for the next visit', async () => {
    const phone = await keyholder(stage, domainId, choosePin)
    const other = await phone.context.newPage()
    await other.goto(stage.server.deviceUrl)
    await phone.press('Settings')
    await look(phone, 'settings')
    await phone.page.getByLabel('Deutsch').click()
    await phone.reads('Über Countersign')
    await look(phone, 'settings')
    await visitorOn(other).sees('Nichts zu beantworten')
    await other.close()
    await phone.page.reload()
    await phone.sees('Nichts zu beantworten')
    assert.equal(await phone.page.locator('html').getAttribute('lang'), 'de')
  })

  it('reads German before there is a key, where they ask for it', async () => {
    const phone = await stage.visit()
    await phone.press('Deutsch')
    await phone.sees('Ihr Passwort fragt.')
    await phone.press('Code eintippen')
    await look(phone, 'code')
  })
}
