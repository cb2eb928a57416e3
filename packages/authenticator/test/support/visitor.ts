// A person with a phone: what they see and press, in the app in a browser against a real server.
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { addMember, createDomain, operatorOf } from '../../../server/src/main.ts'
import type { TestEngine } from '../../../server/test/support/engines.ts'
import { countersign } from '../../../server/test/support/phones.ts'
import { freePort, startTestServer, type TestServer } from '../../../server/test/support/server.ts'
import { chromiumArgs, chromiumPath as executablePath } from './chromium.ts'

/** One server and one browser, for all tests of a file. */
export interface Stage {
  server: TestServer
  /** A new phone with nothing on it, on a page of the app. */
  visit(path?: string): Promise<Visitor>
  /** Closes the phones of a test. */
  clear(): Promise<void>
  close(): Promise<void>
}

/** Starts both. The device origin is one where WebAuthn works: localhost. */
export async function openStage(engine: TestEngine, args: string[] = []): Promise<Stage> {
  const port = await freePort()
  const settings = {
    COUNTERSIGN_DEVICE_LISTEN: `127.0.0.1:${port}`,
    COUNTERSIGN_DEVICE_URL: `http://localhost:${port}`,
  }
  const server = await startTestServer(engine, { settings })
  const browser = await chromium.launch({ executablePath, args: [...chromiumArgs, ...args] })
  const clear = async () => {
    for (const context of browser.contexts()) await context.close()
  }
  return {
    ...{ server, clear },
    visit: (path) => visit(browser, server.deviceUrl, path),
    async close() {
      await browser.close()
      await server.stop()
    },
  }
}

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
  /** Presses digits on the app's own keys. */
  dials(digits: string): Promise<void>
  /** Passes over what is offered after a key was added, and waits for the list of keys. */
  reachList(): Promise<void>
}

async function visit(browser: Browser, origin: string, path = '/'): Promise<Visitor> {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(15_000)
  const page = await context.newPage()
  await addFinger(page)
  await page.goto(`${origin}${path}`)
  return visitorOn(page)
}

/** A finger that is always there and always right, on a phone that can read it. */
async function addFinger(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  const options = {
    ...({ protocol: 'ctap2', transport: 'internal' } as const),
    ...{ hasUserVerification: true, isUserVerified: true, hasResidentKey: false, automaticPresenceSimulation: true },
  }
  await devtools.send('WebAuthn.addVirtualAuthenticator', { options })
}

/** The same person on another page. */
export function visitorOn(page: Page): Visitor {
  const press = (name: string | RegExp) => page.getByRole('button', { name, exact: true }).click()
  return {
    ...{ page, context: page.context(), press },
    async answer(name) {
      await page.locator('.answer .button:not(.unarmed)', { hasText: name }).click()
    },
    sees: (heading) => page.getByRole('heading', { name: heading }).waitFor(),
    reads: (text) => page.getByText(text).first().waitFor(),
    async dials(digits) {
      for (const digit of digits) await press(digit)
    },
    async reachList() {
      const list = page.getByRole('heading', { name: 'Nothing to answer' })
      const no = page.getByRole('button', { name: /^(Continue in the browser|Not now)$/ })
      for (;;) {
        await list.or(no).first().waitFor()
        if (await list.isVisible()) return
        await no.click()
      }
    },
  }
}

/** A new activation for alice: its code, and the link that a QR code holds, without its origin. */
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

/** A phone that follows alice's link and says yes. What unlocks is set up by `unlock`, on the screen for it. */
export async function phoneWithKey(stage: Stage, domainId: string, unlock?: (phone: Visitor) => Promise<void>) {
  const phone = await stage.visit((await invite(stage, domainId)).path)
  await phone.press('Yes, add this key')
  await unlock?.(phone)
  await phone.sees('Your key is ready.')
  await phone.press('Done')
  await phone.reachList()
  return phone
}

/** Chooses 482913. */
export async function choosePin(phone: Visitor): Promise<void> {
  await phone.sees('Choose a 6-digit PIN')
  await phone.page.keyboard.type('482913')
  await phone.sees('Type it once more')
  await phone.page.keyboard.type('482913')
}

/** A domain of acme's with alice in it, which is unlocked by this. */
export async function domainWith({ app, acme }: TestServer, keyType: 'PASSCODE' | 'BIOMETRIC'): Promise<string> {
  const actor = await operatorOf(app, acme.id)
  const { id } = await createDomain(app, actor, { name: `Acme ${keyType}`, type: 'API', keyType })
  await addMember(app, actor, { domainId: id, userId: acme.alice })
  return id
}

/** What IndexedDB holds of keys. */
export function storedKeys(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('countersign')
      opening.onsuccess = () => resolve(opening.result)
      opening.onerror = () => reject(opening.error)
    })
    const count = db.transaction('tokens').objectStore('tokens').count()
    return new Promise<number>((resolve) => {
      count.onsuccess = () => {
        db.close()
        resolve(count.result)
      }
    })
  })
}
