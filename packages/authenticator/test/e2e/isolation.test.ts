// What the app's origin keeps out, and how the app starts without network, without its store and with little to load.
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { onSqlite } from '../../../server/test/support/engines.ts'
import { skipWithoutChromium as skip } from '../support/chromium.ts'
import { openStage, phoneWithKey, type Stage } from '../support/visitor.ts'

describe('the app’s origin', { skip }, () => {
  onSqlite((engine) => {
    let stage: Stage

    before(async () => {
      stage = await openStage(engine)
    })
    afterEach(() => stage.clear())
    after(() => stage?.close())

    it('T31: is not shown in a frame, answers no other origin, and runs no markup that was put in', async () => {
      const { page } = await stage.visit()
      const thrown = await page.evaluate(() => {
        try {
          document.body.innerHTML = '<b>x</b>'
        } catch (error) {
          return error instanceof TypeError
        }
        return false
      })
      assert.equal(thrown, true, 'Trusted Types')
      assert.equal(await page.locator('script:not([src])').count(), 0, 'no inline script')
      const { deviceUrl, apiUrl } = stage.server
      // Another origin without a policy of its own: nothing but the app's can stand in its way.
      const stranger = await page.context().newPage()
      const body = `<iframe src="${deviceUrl}/"></iframe>`
      await stranger.route(`${apiUrl}/stranger`, (route) => route.fulfill({ contentType: 'text/html', body }))
      await stranger.goto(`${apiUrl}/stranger`)
      assert.equal(stranger.frames()[1]?.url(), 'chrome-error://chromewebdata/', 'framed')
      const read = await stranger.evaluate((url) => {
        const reading = fetch(url, { method: 'POST', body: '{}' })
        return reading.then(
          () => 'read',
          () => 'refused',
        )
      }, `${deviceUrl}/device/v1/poll`)
      assert.equal(read, 'refused', 'CORS')
    })

    it('T33: storage that was cleared is said, and leads to a new code', async () => {
      const phone = await phoneWithKey(stage, stage.server.acme.domainId)
      await phone.page.evaluate(
        () =>
          new Promise((resolve, reject) => {
            const deleting = indexedDB.deleteDatabase('countersign')
            deleting.onsuccess = resolve
            deleting.onerror = reject
          }),
      )
      await phone.page.reload()
      await phone.sees('Your keys are gone')
      await phone.press('Type the code')
      await phone.page.getByLabel('Code').waitFor()
    })

    it('starts without a network, with its keys', async () => {
      const phone = await phoneWithKey(stage, stage.server.acme.domainId)
      await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
      await phone.context.setOffline(true)
      await phone.page.reload()
      await phone.sees('No connection')
      await phone.context.setOffline(false)
      await phone.sees('Nothing to answer')
    })

    it('loads less than 100 kB of script, and nothing from anywhere else', async () => {
      const { page } = await stage.visit()
      const loaded = await page.evaluate(() =>
        (performance.getEntriesByType('resource') as PerformanceResourceTiming[]).map(
          ({ name, encodedBodySize: bytes }) => ({ name, bytes }),
        ),
      )
      const scripts = loaded.filter(({ name }) => /\/assets\/.*\.js$/.test(name))
      assert.ok(scripts.length > 0)
      assert.ok(scripts.reduce((sum, { bytes }) => sum + bytes, 0) < 100_000)
      for (const { name } of loaded) assert.equal(new URL(name).origin, stage.server.deviceUrl)
    })

    it('speaks German when asked to', async () => {
      const phone = await stage.visit()
      await phone.press('Deutsch')
      await phone.page.reload()
      await phone.page.locator('html[lang=de]').waitFor()
    })
  })
})
