import { type Browser, chromium, type Page } from 'playwright-core'
import type { TestEngine } from '../../../server/test/support/engines.ts'
import { freePort, startTestServer, type TestServer } from '../../../server/test/support/server.ts'
import { chromiumArgs, chromiumPath as executablePath } from './chromium.ts'
import { Complaints } from './complaints.ts'
import { type Visitor, visitorOn } from './visitor.ts'

/** One server and one browser, for all tests of a file. */
export interface Stage {
  server: TestServer
  /** A phone with nothing on it, on a page of the app. The one that was here before is wiped: to open another costs a second. */
  visit(path?: string): Promise<Visitor>
  /** That phone as it is. */
  readonly phone: Visitor | undefined
  /** A phone that has never been here: nothing is in the browser's cache. */
  newPhone(): Promise<Visitor>
  /** What browsers will complain of in this test. */
  expect(...complaints: RegExp[]): void
  /** Ends a test: no browser has complained of anything else. */
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
  const launching = chromium.launch({ executablePath, args: [...chromiumArgs, ...args] })
  const server = await startTestServer(engine, { settings })
  const browser = await launching
  const complaints = new Complaints()
  let phone: Visitor | undefined
  const newPhone = () => openPhone(browser, complaints, server.deviceUrl)
  return {
    ...{ server, newPhone },
    async visit(path = '/') {
      if (phone) await wipe(phone, server.deviceUrl)
      phone ??= await newPhone()
      await phone.page.goto(`${server.deviceUrl}${path}`)
      return phone
    },
    get phone() {
      return phone
    },
    expect: (...expected) => complaints.expect(...expected),
    async clear() {
      // What the page has still to say is said before it does anything else.
      await phone?.page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))
      complaints.settle()
    },
    async close() {
      await browser.close()
      await server.stop()
    },
  }
}

async function openPhone(browser: Browser, complaints: Complaints, origin: string): Promise<Visitor> {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(15_000)
  await complaints.listen(context, origin)
  const page = await context.newPage()
  await addFinger(page)
  return visitorOn(page)
}

/** For the page as it is: it does not outlast what wipes it. */
async function addFinger(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('WebAuthn.enable')
  await devtools.send('WebAuthn.addVirtualAuthenticator', { options: finger })
}

/** Always there and always right, on a phone that can read it. */
const finger = {
  ...({ protocol: 'ctap2', transport: 'internal' } as const),
  ...{ hasUserVerification: true, isUserVerified: true, hasResidentKey: false, automaticPresenceSimulation: true },
}

/** As it was when it was bought, but for the files in the browser's cache. */
async function wipe({ page, context }: Visitor, origin: string): Promise<void> {
  for (const other of context.pages()) if (other !== page) await other.close()
  await context.setOffline(false)
  await page.unrouteAll()
  await page.goto('about:blank')
  const devtools = await context.newCDPSession(page)
  await devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb,local_storage' })
  await devtools.detach()
  await addFinger(page)
}
