/** What a keyboard on the screen takes at least; less is a bar of the browser. */
const keyboardPx = 120

/**
 * Whether a keyboard on the screen is open. Android resizes the page (interactive-widget=resizes-content), iOS lays the
 * keyboard over it: there the room it takes is in --kb, and every screen pads its bottom by that.
 */
class Keyboard {
  open = $state(false)
  #full = { width: 0, height: 0 }

  /** Returns what ends it: made for $effect. */
  watch(): () => void {
    const viewport = window.visualViewport
    if (!viewport) return () => {}
    const measure = () => this.#measure(viewport)
    viewport.addEventListener('resize', measure)
    measure()
    return () => viewport.removeEventListener('resize', measure)
  }

  #measure(viewport: VisualViewport): void {
    if (viewport.scale > 1.01) return // zoomed in by hand, which shrinks the viewport too
    if (viewport.width !== this.#full.width) this.#full = { width: viewport.width, height: 0 }
    this.#full.height = Math.max(this.#full.height, viewport.height)
    this.open = this.#full.height - viewport.height > keyboardPx
    const covered = Math.max(0, window.innerHeight - viewport.height - viewport.offsetTop)
    document.documentElement.style.setProperty('--kb', `${covered > keyboardPx ? Math.round(covered) : 0}px`)
  }
}

export const keyboard = new Keyboard()
