// Every screen in every state, as axe sees it. Needs a Chromium: without one it is skipped, but not where CI is set.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { findings } from './e2e/axe.ts'
import { chromiumPath, type Gallery, startGallery } from './e2e/gallery.ts'

const missing = 'no Chromium: install one, or name it in COUNTERSIGN_CHROMIUM'
const skip = chromiumPath === undefined && !process.env.CI ? missing : false

describe('the screens', { skip }, () => {
  let gallery: Gallery

  before(async () => {
    assert.ok(chromiumPath, missing)
    gallery = await startGallery()
  })
  after(() => gallery?.close())

  it('show nothing that axe finds fault with, in the light and in the dark', async () => {
    const phone = { width: 390, height: 844 }
    assert.deepEqual(await judge(phone, ['light', 'dark'], 'en'), [])
  })

  it('fit on a phone of 320 px in German, where words are long', async () => {
    assert.deepEqual(await judge({ width: 320, height: 568 }, ['light'], 'de'), [])
  })

  async function judge(
    size: { width: number; height: number },
    themes: ('light' | 'dark')[],
    language: 'en' | 'de',
  ): Promise<string[]> {
    const opened = await gallery.open(size)
    const found: string[] = []
    for (const state of gallery.names) {
      for (const theme of themes) {
        await opened.show(state, language, theme)
        for (const finding of await findings(opened.page, state)) found.push(`${state}, ${theme}: ${finding}`)
      }
    }
    await opened.close()
    return found
  }
})
