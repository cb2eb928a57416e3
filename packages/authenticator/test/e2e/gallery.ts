// The gallery in a browser, for pictures and for axe.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { type Browser, chromium, type Page } from 'playwright-core'
import { createServer } from 'vite'
import type {} from '../gallery/main.ts'
import { chromiumArgs, chromiumPath } from '../support/chromium.ts'

const packageFolder = join(import.meta.dirname, '../..')

export interface Size {
  width: number
  height: number
}

export interface Gallery {
  names: string[]
  /** A page of this size with nothing on it yet. */
  open(size: Size): Promise<GalleryPage>
  close(): Promise<void>
}

export interface GalleryPage {
  page: Page
  show(state: string, language: 'en' | 'de', theme: 'light' | 'dark'): Promise<void>
  close(): Promise<void>
}

/** How much of a phone's height its keyboard takes. */
const keyboardPx = 264

/** Serves the gallery and starts a browser of its own. */
export async function startGallery(): Promise<Gallery> {
  const cacheDir = mkdtempSync(join(tmpdir(), 'countersign-gallery-'))
  const server = await createServer({
    root: join(packageFolder, 'test/gallery'),
    configFile: false,
    plugins: [svelte({ configFile: join(packageFolder, 'svelte.config.js') })],
    cacheDir,
    server: { port: 0, host: '127.0.0.1', fs: { strict: false }, hmr: false, watch: null },
    logLevel: 'error',
  })
  await server.listen()
  const url = server.resolvedUrls?.local[0]
  if (!url) throw new Error('the gallery is served nowhere')
  const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArgs })
  const first = await openPage(browser, url, { width: 390, height: 844 })
  const names = await first.page.evaluate(() => window.gallery.names)
  await first.close()
  return {
    names,
    open: (size) => openPage(browser, url, size),
    close: async () => {
      await browser.close()
      await server.close()
      rmSync(cacheDir, { recursive: true, force: true })
    },
  }
}

async function openPage(browser: Browser, url: string, size: Size): Promise<GalleryPage> {
  const context = await browser.newContext({
    viewport: size,
    deviceScaleFactor: 1.5,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  await page.goto(url)
  await page.waitForFunction(() => 'gallery' in window)
  const keyboards = await page.evaluate(() => window.gallery.keyboards)
  return {
    page,
    show: async (state, language, theme) => {
      const covered = keyboards.includes(state) && size.width < 480 ? keyboardPx : 0
      await page.setViewportSize({ ...size, height: size.height - covered })
      await page.evaluate(([name, code, scheme]) => window.gallery.show(name, code, scheme), [
        state,
        language,
        theme,
      ] as const)
    },
    close: () => context.close(),
  }
}
