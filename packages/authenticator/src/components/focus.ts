/** Puts the focus on a heading that has just appeared, so that the question is read first. No keyboard opens by it. */
export function focused(heading: HTMLElement): void {
  heading.tabIndex = -1
  heading.focus({ preventScroll: true })
}
