import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'

type RunOptions = Parameters<AxeBuilder['options']>[0]
type AxeResults = Awaited<ReturnType<AxeBuilder['analyze']>>

/** WCAG 2.2 up to AA and what axe calls good practice. */
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** Answers are read in a hurry: these are AAA. */
const answerScreens = /^(request|deny|denied|unlock|approved|wrong|time-up|elsewhere|cancelled|not-confirmed)/
/** Read once into a page and run for each screen: an AxeBuilder would read half a megabyte again each time. */
const builder = createRequire(import.meta.url).resolve('@axe-core/playwright')
const source = readFileSync(createRequire(builder).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds on a page, and what leaves it sideways; a sentence each. */
export async function findings(page: Page, state: string): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(source)
  const options: RunOptions = {
    runOnly: tags,
    resultTypes: ['violations'],
    rules: { 'color-contrast-enhanced': { enabled: answerScreens.test(state) } },
  }
  const { violations } = await page.evaluate<AxeResults, RunOptions>((asked) => axe.run(asked), options)
  const said = violations.map(
    ({ id, help, nodes }) => `${id}: ${help} (${nodes.map((node) => node.html.slice(0, 120)).join(' | ')})`,
  )
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  return wider > 0 ? [...said, `${wider} px wider than the page`] : said
}

declare const axe: { run(options: RunOptions): Promise<AxeResults> }
