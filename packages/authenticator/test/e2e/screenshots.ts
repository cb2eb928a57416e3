// npm run screenshots: every screen in every state as a picture, in both languages and both schemes, at a small phone's, a
// phone's and a desk's size, and what axe says of each. Fails on findings.
//
//   npm run screenshots                    everything, into packages/authenticator/test-output/screens
//   npm run screenshots -- request deny    the states whose name begins so
//   npm run screenshots -- --unjudged      pictures alone
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findings } from './axe.ts'
import { type Gallery, type Size, startGallery } from './gallery.ts'

const folder = join(import.meta.dirname, '../../test-output/screens')
const sizes: Size[] = [
  { width: 360, height: 640 },
  { width: 390, height: 844 },
  { width: 1280, height: 800 },
]
const looks = [
  { language: 'en', theme: 'light' },
  { language: 'en', theme: 'dark' },
  { language: 'de', theme: 'light' },
] as const
const args = process.argv.slice(2)
const wanted = args.filter((arg) => !arg.startsWith('-'))
const judged = !args.includes('--unjudged')

mkdirSync(folder, { recursive: true })
const gallery = await startGallery()
const found: string[] = []
try {
  for (const size of sizes) found.push(...(await takeAll(gallery, size)))
} finally {
  await gallery.close()
}
for (const finding of found) console.error(finding)
process.exitCode = found.length > 0 ? 1 : 0

async function takeAll(gallery: Gallery, size: Size): Promise<string[]> {
  const opened = await gallery.open(size)
  const found: string[] = []
  for (const state of gallery.names.filter(isWanted)) {
    for (const { language, theme } of looks) {
      const name = `${state}.${language}.${theme}.${size.width}x${size.height}`
      await opened.show(state, language, theme)
      await opened.page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' })
      if (judged) for (const finding of await findings(opened.page, state)) found.push(`${name}: ${finding}`)
    }
  }
  await opened.close()
  return found
}

function isWanted(state: string): boolean {
  return wanted.length === 0 || wanted.some((start) => state.startsWith(start))
}
