// How little the app loads, how still it stands while it does, and that it starts without a network.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Page } from 'playwright-core'
import { askFor } from '../support/asking.ts'
import type { Stage } from '../support/stage.ts'
import { keyholder } from '../support/visitor.ts'

/** What a first visit may cost: a little more than it does. Bytes as they are transferred, compressed. */
const budget = { scriptBytes: 66_000, styleBytes: 7_500, fontBytes: 36_000, requests: 6 }

/** What a start costs, and what it needs. */
export function loading(stage: Stage): void {
  it('loads within its budget at first, and nothing moves meanwhile', async () => {
    const { page, sees } = await stage.newPhone()
    const requests: string[] = []
    page.on('request', (request) => requests.push(new URL(request.url()).pathname))
    await page.goto(stage.server.deviceUrl)
    await sees('Your password asks.')
    const bytes = await transferred(page)
    assert.ok(bytes.script > 0 && bytes.script <= budget.scriptBytes, `${bytes.script} B of script`)
    assert.ok(bytes.style > 0 && bytes.style <= budget.styleBytes, `${bytes.style} B of style`)
    assert.ok(bytes.font > 0 && bytes.font <= budget.fontBytes, `${bytes.font} B of fonts`)
    assert.ok(requests.length <= budget.requests, requests.join(' '))
    assert.equal(await shifted(page), 0)
    await page.context().close()
  })

  it('does not move under the finger: from a request’s first sight until its number is typed', async () => {
    const phone = await keyholder(stage, stage.server.acme.domainId)
    await phone.page.evaluate(() => performance.mark('asked'))
    const { number, path } = await askFor(stage.server, stage.server.acme.domainId, {
      numberMatching: true,
      attributes: [{ key: 'App', value: 'Wiki' }],
      ipAddress: '203.0.113.24',
    })
    await phone.sees('Are you signing in?')
    await phone.page.getByLabel('Type the number').click()
    await phone.page.keyboard.type(number)
    await phone.page.locator('.answer .button:not(.unarmed)').first().waitFor()
    assert.equal(await shifted(phone.page, 'asked'), 0)
    await stage.server.call('DELETE', path)
    await phone.sees('Cancelled')
    await phone.press('Done')
  })

  it('starts without a network, with its keys', async () => {
    const phone = await keyholder(stage, stage.server.acme.domainId)
    await phone.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    stage.expect(/ERR_INTERNET_DISCONNECTED/)
    await phone.context.setOffline(true)
    await phone.page.reload()
    await phone.sees('No connection')
    await phone.reads('Acme VPN')
    await phone.context.setOffline(false)
    await phone.sees('Nothing to answer')
  })
}

async function transferred(page: Page): Promise<Record<'script' | 'style' | 'font', number>> {
  const loaded = await page.evaluate(() =>
    (performance.getEntriesByType('resource') as PerformanceResourceTiming[]).map(
      ({ name, encodedBodySize }) => [name, encodedBodySize] as const,
    ),
  )
  const sum = (ending: string) =>
    loaded.filter(([name]) => name.endsWith(ending)).reduce((total, [, bytes]) => total + bytes, 0)
  return { script: sum('.js'), style: sum('.css'), font: sum('.woff2') }
}

/** How far the layout has moved since that mark, by what users have done, too: 0 is not at all. */
function shifted(page: Page, since?: string): Promise<number> {
  return page.evaluate(async (mark) => {
    const start = mark ? (performance.getEntriesByName(mark)[0]?.startTime ?? 0) : 0
    const entries = await new Promise<PerformanceEntry[]>((resolve) => {
      const observer = new PerformanceObserver((list) => resolve(list.getEntries()))
      observer.observe({ type: 'layout-shift', buffered: true })
      setTimeout(() => resolve([]), 100) // nothing at all is not told
    })
    return entries
      .filter(({ startTime }) => startTime >= start)
      .reduce((total, entry) => total + ('value' in entry ? Number(entry.value) : 0), 0)
  }, since)
}
