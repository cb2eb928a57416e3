// From the first code to an approved sign-in by what a person sees and presses: the app in a browser, against a real server.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { onSqlite } from '../../../server/test/support/engines.ts'
import { startTestServer, type TestServer } from '../../../server/test/support/server.ts'
import { type Browser, openBrowser } from '../support/browser.ts'
import { skipWithoutChromium as skip } from '../support/chromium.ts'
import { askFor, codeFor } from '../support/phone.ts'

describe('a person with a phone', { skip }, () => {
  onSqlite((engine) => {
    let server: TestServer
    let browser: Browser
    let page: Page

    before(async () => {
      server = await startTestServer(engine)
      browser = await openBrowser(server.deviceUrl)
      page = await browser.open()
      page.setDefaultTimeout(20_000)
    })
    after(async () => {
      await browser?.close()
      await server.stop()
    })

    const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
    const heading = (name: string) => page.getByRole('heading', { name }).waitFor()
    const type = async (digits: string) => {
      for (const digit of digits) await press(digit)
    }
    /** The home screen and notifications: what is offered after the first key depends on the browser. */
    const declineOffers = async () => {
      const list = page.getByRole('heading', { name: 'Nothing to answer' })
      const no = page.getByRole('button', { name: /^(Continue in the browser|Not now)$/ })
      for (;;) {
        await list.or(no).first().waitFor()
        if (await list.isVisible()) return
        await no.click()
      }
    }

    it('types the code, says who they are, chooses a PIN and has a key', async () => {
      await heading('Your password asks.')
      await press('Type the code')
      await page.getByLabel('Code').fill(await codeFor(server, server.acme.pinDomainId))
      await press('Continue')
      await page.getByLabel('Your user name').fill('alice')
      await press('Continue')
      await heading('Is this you?')
      await press('Yes, add this key')
      await type('123456')
      await page.getByText('Too easy to guess. Choose another.').waitFor()
      await type('482913')
      await heading('Type it once more')
      await page.keyboard.type('482913')
      await heading('Your key is ready.')
      await press('Done')
      await declineOffers()
      await page.getByText('Not used yet').waitFor()
    })

    it('sees the request come by itself, types number and PIN, and is signed in', async () => {
      const asked = { numberMatching: true, attributes: [{ key: 'App', value: 'Wiki' }], ipAddress: '203.0.113.24' }
      const { number, verdict } = await askFor(server, server.acme.pinDomainId, asked)
      await heading('Are you signing in?')
      await page.getByLabel('Type the number shown where you are signing in').fill(number)
      await page.waitForTimeout(800) // the buttons are armed again when a number is begun
      await press('Approve')
      await type('111213')
      await page.getByText('Wrong PIN. 4 tries left.').waitFor()
      await type('482913')
      await heading('Approved')
      assert.equal(await verdict(), 'approved')
      await press('That wasn’t me after all')
      await heading('Blocked')
      assert.equal(await verdict(), 'denied')
      await press('Done')
      await page.getByText('Paused until').waitFor()
    })

    it('is served nothing that the policy of content refuses, and nothing that fails', () => {
      const expected = /status of 403/ // the wrong PIN
      assert.deepEqual(
        browser.complaints.filter((complaint) => !expected.test(complaint)),
        [],
      )
    })
  })
})
