// What the app's origin keeps out, and what is left of an app whose browser keeps nothing.
import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import type { Stage } from '../support/stage.ts'
import { invite, keyholder } from '../support/visitor.ts'

/** What stays outside, and what the browser may throw away. */
export function isolation(stage: Stage): void {
  let domainId: string

  before(() => {
    domainId = stage.server.acme.domainId
  })

  it('T31: runs no markup and no script that was put in', async () => {
    const { page } = await stage.visit()
    assert.equal(await page.locator('script:not([src])').count(), 0, 'no inline script')
    stage.expect(/requires 'TrustedHTML'/, /requires 'TrustedScript'/, /policy violated: require-trusted-types-for/)
    const refused = await page.evaluate(() =>
      [
        () => Object.assign(document.body, { innerHTML: '<b>x</b>' }),
        () => Object.assign(document.createElement('script'), { text: '1' }),
        () => Object.assign(document.createElement('iframe'), { srcdoc: '<b>x</b>' }),
      ].map((attempt) => {
        try {
          attempt()
        } catch (error) {
          return error instanceof TypeError
        }
        return false
      }),
    )
    assert.deepEqual(refused, [true, true, true])
  })

  it('T31: is not shown in a frame, answers no other origin and shows it no storage', async () => {
    const { page } = await keyholder(stage, domainId)
    const { deviceUrl, apiUrl } = stage.server
    // Another origin without a policy of its own: nothing but the app's can stand in its way.
    stage.expect(/request to .*\/stranger$/, /frame-ancestors/, /CORS policy/, /ERR_FAILED/)
    const stranger = await page.context().newPage()
    const body = `<link rel="icon" href="data:,"><iframe src="${deviceUrl}/"></iframe>`
    await stranger.route(`${apiUrl}/stranger`, (route) => route.fulfill({ contentType: 'text/html', body }))
    await stranger.goto(`${apiUrl}/stranger`)
    assert.equal(stranger.frames()[1]?.url(), 'chrome-error://chromewebdata/', 'framed')
    const [read, databases] = await stranger.evaluate(async (url) => {
      const reading = fetch(url, { method: 'POST', body: '{}' }).then(
        () => 'read',
        () => 'refused',
      )
      return [await reading, await indexedDB.databases()] as const
    }, `${deviceUrl}/device/v1/sync`)
    assert.equal(read, 'refused', 'CORS')
    assert.deepEqual(databases, [])
    await stranger.close()
  })

  it('T33: a browser that promises nothing is told to the server and to the user', async () => {
    const phone = await stage.visit((await invite(stage, domainId)).path)
    assert.equal(
      await phone.page.evaluate(() => navigator.storage.persist()),
      false,
      'so does Chromium with a new phone',
    )
    const { acme } = stage.server
    const sending = phone.page.waitForRequest('**/activation/finish')
    await phone.press('Yes, add this key')
    const [, payload = ''] = ((await sending).postData() ?? '').split('.')
    const { device } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    assert.equal(device.persisted, false)
    await phone.sees('Your key is ready.')
    const { body: token } = await stage.server.call('GET', `/admin/v1/domains/${domainId}/members/${acme.alice}/token`)
    assert.equal(token.device.persisted, false)
    await phone.reachList()
    await phone.press('Settings')
    await phone.reads('The browser may clear your keys.')
    await phone.press('Back')
  })

  it('T33: storage that was cleared is said, and leads to a new code', async () => {
    const phone = await keyholder(stage, domainId)
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
}
