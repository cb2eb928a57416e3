import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { TestEngine } from '../../../server/test/support/engines.ts'
import { freePort, startTestServer, type TestServer } from '../../../server/test/support/server.ts'
import { chromiumArgs, chromiumPath as executablePath } from './chromium.ts'
import { Complaints } from './complaints.ts'
import { filmQr } from './qr-video.ts'
import { type Visitor, visitorOn } from './visitor.ts'

/** One server and one browser for many tests: to start them costs more than most tests do. */
export class Stage {
  readonly #folder = mkdtempSync(join(tmpdir(), 'countersign-camera-'))
  readonly #film = join(this.#folder, 'qr.y4m')
  readonly #complaints = new Complaints()
  #server: TestServer | undefined
  #browser: Browser | undefined
  #phone: Visitor | undefined

  get server(): TestServer {
    if (!this.#server) throw new Error('Nothing is on the stage yet')
    return this.#server
  }

  /** The phone of the test before, as it is. */
  get phone(): Visitor | undefined {
    return this.#phone
  }

  /** Starts both. The device origin is one where WebAuthn works: localhost. */
  async open(engine: TestEngine): Promise<void> {
    const port = await freePort()
    const settings = {
      COUNTERSIGN_DEVICE_LISTEN: `127.0.0.1:${port}`,
      COUNTERSIGN_DEVICE_URL: `http://localhost:${port}`,
    }
    const camera = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream']
    // A process less: a tenth of the time.
    const args = [...chromiumArgs, '--in-process-gpu', ...camera, `--use-file-for-fake-video-capture=${this.#film}`]
    this.#server = await startTestServer(engine, { settings })
    this.#browser = await chromium.launch({ executablePath, args })
  }

  /** A phone with nothing on it, on a page of the app. The one that was here before is wiped: to open another costs a second. */
  async visit(path = '/'): Promise<Visitor> {
    if (this.#phone) await wipe(this.#phone, this.server.deviceUrl)
    this.#phone ??= await this.newPhone()
    await this.#phone.page.goto(`${this.server.deviceUrl}${path}`)
    return this.#phone
  }

  /** A phone that has never been here: nothing is in the browser's cache. */
  async newPhone(): Promise<Visitor> {
    if (!this.#browser) throw new Error('There is no browser yet')
    const context = await this.#browser.newContext({
      viewport: { width: 390, height: 844 },
      locale: 'en-GB',
      reducedMotion: 'reduce',
    })
    context.setDefaultTimeout(15_000)
    await this.#complaints.listen(context, this.server.deviceUrl)
    const page = await context.newPage()
    await addFinger(page)
    return visitorOn(page)
  }

  /** Holds a QR code with this text before the cameras of phones. */
  hold(text: string): void {
    filmQr(text, this.#film)
  }

  /** What browsers will complain of in this test. */
  expect(...complaints: RegExp[]): void {
    this.#complaints.expect(...complaints)
  }

  /** Ends a test: no browser has complained of anything else. */
  async clear(): Promise<void> {
    // What the page has still to say is said before it does anything else.
    await this.#phone?.page.evaluate(() => new Promise((resolve) => setTimeout(resolve)))
    this.#complaints.settle()
  }

  async close(): Promise<void> {
    await this.#browser?.close()
    await this.#server?.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
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

/** As it was when the app had just been loaded. Its files stay, and the service worker, which holds nothing else. */
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
