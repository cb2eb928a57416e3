import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'

/** WCAG 2.2 up to AA and what axe calls good practice. */
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** Answers are read in a hurry: these are AAA. */
const answerScreens = /^(request|deny|denied|unlock|approved|wrong|time-up|elsewhere|cancelled|not-confirmed)/

/** What axe finds on a page, and what leaves it sideways; a sentence each. */
export async function findings(page: Page, state = ''): Promise<string[]> {
  const builder = new AxeBuilder({ page }).withTags(tags)
  if (answerScreens.test(state)) builder.options({ rules: { 'color-contrast-enhanced': { enabled: true } } })
  const { violations } = await builder.analyze()
  const said = violations.map(
    ({ id, help, nodes }) => `${id}: ${help} (${nodes.map((node) => node.html.slice(0, 120)).join(' | ')})`,
  )
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  return wider > 0 ? [...said, `${wider} px wider than the page`] : said
}
