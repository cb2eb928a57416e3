import type { Install } from './model.ts'

/** What Chromium fires when an app can be installed; no library types it. */
interface InstallPromptEvent extends Event {
  prompt(): Promise<unknown>
}

/** Whether and how this app gets to the home screen. Listens from the start: the browser tells only once. */
export class Installation implements Install {
  #prompt = $state.raw<InstallPromptEvent>()
  #installed = $state(isStandalone())

  constructor() {
    addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault()
      this.#prompt = event as InstallPromptEvent
    })
    addEventListener('appinstalled', () => {
      this.#installed = true
    })
  }

  get state(): Install['state'] {
    if (this.#installed) return 'installed'
    if (this.#prompt) return 'possible'
    return isAppleTouch() ? 'manual_ios' : 'none'
  }

  async prompt(): Promise<void> {
    const event = this.#prompt
    this.#prompt = undefined
    await event?.prompt()
  }
}

function isStandalone(): boolean {
  return (
    matchMedia('(display-mode: standalone)').matches || ('standalone' in navigator && navigator.standalone === true)
  )
}

// An iPad says that it is a Mac, but no Mac has a touch screen.
function isAppleTouch(): boolean {
  return (
    /iPhone|iPad|iPod/.test(navigator.userAgent) ||
    (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1)
  )
}
