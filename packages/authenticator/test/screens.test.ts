// Every screen in every state, as axe sees it and as it is used. Needs a Chromium: without one it is skipped, but not where CI
// is set.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { findings } from './e2e/axe.ts'
import { type Gallery, type GalleryPage, type Size, startGallery } from './e2e/gallery.ts'
import { skipWithoutChromium as skip } from './support/chromium.ts'

const phone: Size = { width: 390, height: 844 }

describe('the screens', { skip }, () => {
  let gallery: Gallery
  let opened: GalleryPage

  before(async () => {
    gallery = await startGallery()
    opened = await gallery.open(phone)
  })
  after(() => gallery?.close())

  it('show nothing that axe finds fault with, in the light and in the dark', async () => {
    const found: string[] = []
    for (const state of gallery.names) {
      for (const theme of ['light', 'dark'] as const) {
        await opened.show(state, 'en', theme)
        for (const finding of await findings(opened.page, state)) found.push(`${state}, ${theme}: ${finding}`)
      }
    }
    assert.deepEqual(found, [])
  })

  for (const { what, size, textPercent } of [
    { what: 'on a phone of 320 px', size: { width: 320, height: 568 }, textPercent: 100 },
    { what: 'with text of twice the size', size: { width: 360, height: 640 }, textPercent: 200 },
  ]) {
    it(`fit in German, where words are long, ${what}: nothing sideways, and Deny is in sight`, async () => {
      const narrow = await gallery.open(size)
      const found: string[] = []
      for (const state of gallery.names) {
        await narrow.show(state, 'de', 'light')
        found.push(...(await narrow.page.evaluate(misfits, { state, textPercent })))
      }
      await narrow.close()
      assert.deepEqual(found, [])
    })
  }

  it('begin with the question: the focus is on the heading, and no keyboard opens', async () => {
    for (const state of gallery.names.filter((name) => !['code', 'request-typing'].includes(name))) {
      await opened.show(state, 'en', 'light')
      assert.match(await opened.page.evaluate(() => document.activeElement?.tagName ?? ''), /^H[12]$/, state)
    }
  })

  it('do not approve before the number is typed: the press explains itself and leads to the field', async () => {
    await opened.show('request', 'en', 'light')
    await opened.page.getByRole('button', { name: 'Approve' }).click({ force: true })
    assert.deepEqual(await heard(), [])
    assert.equal(await opened.page.evaluate(() => document.activeElement?.id), 'number')
    assert.ok(await opened.page.getByText('Type the number first.').isVisible())
  })

  it('take a number with spaces from the clipboard, and approve when it is complete', async () => {
    await opened.show('request', 'en', 'light')
    await opened.page.locator('#number').evaluate((field) => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text', '482 917')
      field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
    })
    assert.equal(await opened.page.locator('#number').inputValue(), '482917')
    await opened.page.getByRole('button', { name: 'Approve' }).click()
    assert.deepEqual(await heard(), ['approve'])
  })

  it('hear no answer that is given by reflex, by finger or by key', async () => {
    await opened.show('request-unarmed', 'en', 'light')
    for (const name of ['Approve', 'Deny']) {
      await opened.page.getByRole('button', { name }).click()
      await opened.page.getByRole('button', { name }).press('Enter')
    }
    assert.deepEqual(await heard(), [])
    assert.equal(await opened.page.getByRole('dialog').count(), 0)
  })

  it('deny for a reason only: closing the sheet, by key or beside it, is not a denial', async () => {
    await opened.show('request', 'en', 'light')
    await opened.page.getByRole('button', { name: 'Deny' }).click()
    await opened.page.keyboard.press('Escape')
    await opened.page.getByRole('button', { name: 'Deny' }).click()
    await opened.page.mouse.click(200, 20)
    assert.equal(await opened.page.getByRole('dialog').count(), 0)
    assert.deepEqual(await heard(), [])
    await opened.page.getByRole('button', { name: 'Deny' }).click()
    await opened.page.getByRole('button', { name: 'This wasn’t me' }).click()
    assert.deepEqual(await heard(), ['deny'])
  })

  it('T24: show what an application says as text: no link, no image, no markup', async () => {
    await opened.show('request-many', 'en', 'light')
    const sign = opened.page.locator('.sign')
    assert.equal(await sign.locator('a, img, dd b').count(), 0)
    assert.ok((await sign.textContent())?.includes('<b>Yes</b> https://evil.example/click?me=1'))
  })

  function heard(): Promise<string[]> {
    return opened.page.evaluate(() => window.gallery.heard.splice(0))
  }
})

/** Runs in the page: what is wider than it, and whether one must scroll to deny. */
function misfits({ state, textPercent }: { state: string; textPercent: number }): string[] {
  const root = document.documentElement
  root.style.fontSize = `${textPercent}%`
  const found: string[] = []
  if (root.scrollWidth > root.clientWidth) found.push(`${state}: ${root.scrollWidth} px wide`)
  const cut = [...document.querySelectorAll('button')].filter((button) => button.scrollWidth > button.clientWidth + 1)
  for (const button of cut) found.push(`${state}: the words of a button are cut: ${button.textContent}`)
  const deny = [...document.querySelectorAll('button')].find((button) => button.textContent?.trim() === 'Ablehnen')
  const box = deny?.getBoundingClientRect()
  if (box && (box.bottom > innerHeight + 1 || box.top < 0)) found.push(`${state}: Deny is out of sight`)
  return found
}
