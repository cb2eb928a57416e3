let byKeys = false
addEventListener('keydown', () => (byKeys = true), true)
addEventListener('pointerdown', () => (byKeys = false), true)

/**
 * Puts the focus on a heading that has just appeared, so that the question is read first. No keyboard opens by it. Its ring is
 * drawn for who goes by keys: browsers draw it for everybody on a page that nobody has touched yet.
 */
export function focused(heading: HTMLElement): void {
  heading.tabIndex = -1
  heading.toggleAttribute('data-quiet', !byKeys)
  heading.focus({ preventScroll: true })
}
