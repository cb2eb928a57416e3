import { existsSync } from 'node:fs'

/** Where a Chromium is, if there is one: what COUNTERSIGN_TEST_CHROMIUM names, or where Linux keeps it. */
export const chromiumPath = [
  process.env.COUNTERSIGN_TEST_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path))

/** Why tests in a browser are skipped; false when they are not. Where CI is set they fail without one. */
export const skipWithoutChromium =
  chromiumPath === undefined && !process.env.CI
    ? 'no Chromium: install one, or name it in COUNTERSIGN_TEST_CHROMIUM'
    : false

/** Alone on the machine: no look-ups of its own, no profile of anybody. */
export const chromiumArgs = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]
