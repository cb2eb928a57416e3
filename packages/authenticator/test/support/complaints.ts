import assert from 'node:assert/strict'
import type { BrowserContext } from 'playwright-core'

/** What browsers have to complain of while a test runs, a sentence each. */
export class Complaints {
  #heard: string[] = []
  #expected: RegExp[] = []

  /**
   * Hears what the pages of a phone say: errors, warnings, what a policy of content has refused, and requests to any other origin
   * than the app's.
   */
  async listen(context: BrowserContext, origin: string): Promise<void> {
    context.on('weberror', (error) => this.#heard.push(String(error.error())))
    context.on('console', (message) => {
      if (['error', 'warning', 'assert'].includes(message.type())) this.#heard.push(message.text())
    })
    context.on('request', (request) => {
      const url = new URL(request.url())
      if (/^https?:$/.test(url.protocol) && url.origin !== origin) this.#heard.push(`request to ${url}`)
    })
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
        console.error(`policy violated: ${effectiveDirective} by ${blockedURI}`),
      )
    })
  }

  /** What the test at hand provokes. Each of them has to come. */
  expect(...complaints: RegExp[]): void {
    this.#expected.push(...complaints)
  }

  /** Ends a test: fails where there was another complaint, or where an expected one did not come. */
  settle(): void {
    const [heard, expected] = [this.#heard, this.#expected]
    this.#heard = []
    this.#expected = []
    assert.deepEqual(
      heard.filter((complaint) => !expected.some((pattern) => pattern.test(complaint))),
      [],
      'complaints of the browser',
    )
    const missing = expected.filter((pattern) => !heard.some((complaint) => pattern.test(complaint)))
    assert.deepEqual(missing, [], 'complaints that did not come')
  }
}
