// A person with a phone: what they see and press, in the app in a browser against a real server.
import { setTimeout as sleep } from 'node:timers/promises'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { countersign } from '../../../server/test/support/phones.ts'
import type { Stage } from './stage.ts'

/** Who holds the phone. */
export interface Visitor {
  page: Page
  context: BrowserContext
  press(name: string | RegExp): Promise<void>
  /** Presses Approve or Deny as soon as they act. */
  answer(name: 'Approve' | 'Deny'): Promise<void>
  /** Waits for a heading. */
  sees(heading: string): Promise<void>
  /** Waits for words anywhere. */
  reads(text: string | RegExp): Promise<void>
  /** Types into a field. */
  fills(label: string, text: string): Promise<void>
  /** Passes over what is done and what is offered then, and waits for the list of keys. */
  reachList(): Promise<void>
}

const patienceMs = 15_000
const lookMs = 20

/** The person before a page. */
export function visitorOn(page: Page): Visitor {
  const click = async (what: Locator) => {
    await appears(what)
    await what.click()
  }
  return {
    ...{ page, context: page.context() },
    press: (name) => click(page.getByRole('button', { name, exact: true })),
    answer: (name) => click(page.locator('.answer .button:not(.unarmed)', { hasText: name })),
    sees: (heading) => appears(page.getByRole('heading', { name: heading })),
    reads: (text) => appears(page.getByText(text)),
    async fills(label, text) {
      const field = page.getByLabel(label, { exact: true })
      await appears(field)
      await field.fill(text)
    },
    async reachList() {
      const list = page.getByRole('heading', { name: 'Nothing to answer' })
      const next = page.getByRole('button', { name: /^(Done|Continue in the browser|Not now)$/ })
      for (;;) {
        await appears(list.or(next))
        if (await list.isVisible()) return
        await next.click()
      }
    },
  }
}

/** Playwright itself looks twice a second only, after the first quarter of one. */
async function appears(what: Locator): Promise<void> {
  for (const start = performance.now(); performance.now() - start < patienceMs; await sleep(lookMs))
    if (await what.first().isVisible()) return
  throw new Error(`${what} did not appear. There is: ${await what.page().locator('body').innerText()}`)
}

/** A path that does not work. */
export interface Breach {
  /** something waits for its end: nothing else will be sent meanwhile */
  waiting: Promise<void>
  mend(): Promise<void>
}

/**
 * From now on what a page sends to this path of the device API waits until it is mended. The first message is lost where that is
 * asked for, or arrives and its answer is lost.
 */
export async function breakOff(
  { page, context }: Visitor,
  path: string,
  first?: 'message' | 'answer',
): Promise<Breach> {
  // What passes the service worker does not always pass a route.
  const devtools = await context.newCDPSession(page)
  await devtools.send('Network.enable')
  await devtools.send('Network.setBypassServiceWorker', { bypass: true })
  const [waiting, mended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const url = `**/device/v1${path}`
  let lost = first
  await page.route(url, async (route) => {
    const own = lost
    lost = undefined
    if (own === 'answer') await route.fetch()
    if (own) return route.abort()
    waiting.resolve()
    await mended.promise
    await route.continue().catch(() => {}) // its page is gone
  })
  return {
    waiting: waiting.promise,
    async mend() {
      mended.resolve()
      await page.unroute(url)
      await devtools.detach()
    },
  }
}

/** A new activation for alice: its code, and the link that a QR code holds, whole and without its origin. */
export async function invite({ server }: Stage, domainId: string) {
  const path = `/api/domains/${domainId}/users/${server.acme.alice}/token`
  await server.call('DELETE', path)
  const { body } = await server.call('PUT', path, { headers: countersign })
  return {
    code: body.code as string,
    link: body.link as string,
    path: (body.link as string).slice(server.deviceUrl.length),
  }
}

/** A wiped phone with one key, alice's in this domain. What unlocks it is set up by `unlock`, on the screen for it. */
export async function phoneWithKey(stage: Stage, domainId: string, unlock?: (phone: Visitor) => Promise<void>) {
  const phone = await stage.visit((await invite(stage, domainId)).path)
  await phone.press('Yes, add this key')
  await unlock?.(phone)
  await phone.sees('Your key is ready.')
  await phone.reachList()
  return phone
}

/** The same, but with the key of an earlier test if that has left the phone with it and the list of keys. */
export async function keyholder(stage: Stage, domainId: string, unlock?: (phone: Visitor) => Promise<void>) {
  const { phone } = stage
  const isIdle = await phone?.page.getByRole('heading', { name: 'Nothing to answer' }).isVisible()
  return phone && isIdle && (await domainsOf(phone.page)).includes(domainId)
    ? phone
    : phoneWithKey(stage, domainId, unlock)
}

/** Chooses 482913. */
export async function choosePin(phone: Visitor): Promise<void> {
  await phone.sees('Choose a 6-digit PIN')
  await phone.page.keyboard.type('482913')
  await phone.sees('Type it once more')
  await phone.page.keyboard.type('482913')
}

/** The domains of which IndexedDB holds a key. */
export function domainsOf(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const answer = <Value>(request: IDBRequest<Value>) =>
      new Promise<Value>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
    const db = await answer(indexedDB.open('countersign'))
    const keys: { domain: { id: string } }[] = await answer(db.transaction('tokens').objectStore('tokens').getAll())
    db.close()
    return keys.map(({ domain }) => domain.id)
  })
}
