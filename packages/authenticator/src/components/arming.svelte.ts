/** How long an answer stays out of reach of a reflex. A wait, not an animation: the same under reduced motion. */
export const armMs = 700

/**
 * Whether answers count yet. Starts over whenever what is asked changes, the page comes back into view or a sheet over it
 * closes, so that a tap meant for something else never answers.
 */
export class Arming {
  armed = $state(false)
  #timer: ReturnType<typeof setTimeout> | undefined

  start(): void {
    this.armed = false
    clearTimeout(this.#timer)
    if (document.visibilityState === 'visible') this.#timer = setTimeout(() => this.#arm(), armMs)
  }

  /** Starts, and again each time the page is seen again. Returns what ends it: made for $effect. */
  watch(): () => void {
    const again = () => this.start()
    document.addEventListener('visibilitychange', again)
    this.start()
    return () => {
      document.removeEventListener('visibilitychange', again)
      clearTimeout(this.#timer)
    }
  }

  #arm(): void {
    this.armed = true
  }
}
