// A real browser, for what Node.js has not: IndexedDB, the service worker, the Content-Security-Policy.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { chromiumArgs as args, chromiumPath as executablePath } from './chromium.ts'

/** A browser with an empty profile. */
export interface Browser {
  context: BrowserContext
  /** what pages complained of: errors, and what the Content-Security-Policy refused */
  complaints: string[]
  /** A page of the app; a path such as `/a#c=…` follows a link. */
  open(path?: string): Promise<Page>
  close(): Promise<void>
}

/** Opens Chromium for the app of one server. */
export async function openBrowser(deviceUrl: string): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'countersign-browser-'))
  const context = await chromium.launchPersistentContext(profile, { executablePath, args, headless: true })
  const complaints: string[] = []
  context.on('weberror', (error) => complaints.push(String(error.error())))
  context.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  return {
    ...{ context, complaints },
    async open(path = '/') {
      const page = await context.newPage()
      await page.goto(`${deviceUrl}${path}`)
      return page
    },
    async close() {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}
