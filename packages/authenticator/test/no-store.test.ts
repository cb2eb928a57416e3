// The app where the browser keeps nothing for it. Needs a Chromium: without one it is skipped, but not where CI is set.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { chromium } from 'playwright-core'
import { onSqlite } from '../../server/test/support/engines.ts'
import { startTestServer } from '../../server/test/support/server.ts'
import { chromiumArgs, chromiumPath, skipWithoutChromium as skip } from './support/chromium.ts'

describe('without a store', { skip }, () => {
  onSqlite((engine) => {
    it('says so where site data is switched off, instead of showing nothing', async () => {
      const server = await startTestServer(engine)
      const profile = mkdtempSync(join(tmpdir(), 'countersign-profile-'))
      mkdirSync(join(profile, 'Default'))
      const preferences = { profile: { default_content_setting_values: { cookies: 2 } } }
      writeFileSync(join(profile, 'Default/Preferences'), JSON.stringify(preferences))
      const executablePath = chromiumPath ?? assert.fail('no Chromium')
      const context = await chromium.launchPersistentContext(profile, { executablePath, args: chromiumArgs })
      try {
        const page = await context.newPage()
        await page.goto(server.deviceUrl)
        await page.getByText('does not let Countersign store anything').waitFor({ timeout: 5_000 })
      } finally {
        await context.close()
        await server.stop()
        rmSync(profile, { recursive: true })
      }
    })
  })
})
