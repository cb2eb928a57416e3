// What an iPhone shows first. Needs a Chromium: without one it is skipped, but not where CI is set.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { chromium } from 'playwright-core'
import { onSqlite } from '../../server/test/support/engines.ts'
import { startTestServer } from '../../server/test/support/server.ts'
import { chromiumArgs, chromiumPath, skipWithoutChromium as skip } from './support/chromium.ts'
import { codeFor } from './support/phone.ts'

const safari =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'

describe('an iPhone', { skip }, () => {
  onSqlite((engine) => {
    it('explains the home screen to who has followed a link, too, and goes on in the browser only when told to', async () => {
      const server = await startTestServer(engine)
      const browser = await chromium.launch({ executablePath: chromiumPath ?? assert.fail(), args: chromiumArgs })
      try {
        const page = await browser.newPage({ userAgent: safari })
        const code = await codeFor(server, server.acme.domainId)
        await page.goto(`${server.deviceUrl}/a#c=${code}&u=alice`)
        await page.getByText('Add to Home Screen').waitFor()
        await page.getByRole('button', { name: 'Continue in the browser' }).click()
        assert.equal(await page.getByRole('textbox').inputValue(), 'alice')
      } finally {
        await browser.close()
        await server.stop()
      }
    })
  })
})
