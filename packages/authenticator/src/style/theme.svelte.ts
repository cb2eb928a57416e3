export type Theme = 'system' | 'light' | 'dark'
export const themes: Theme[] = ['system', 'light', 'dark']

const storageKey = 'theme'

/** Light, dark or as the phone has it. Applied before the first screen is drawn, by an attribute: no inline style or script. */
class Appearance {
  #theme = $state<Theme>(stored())

  get theme(): Theme {
    return this.#theme
  }

  choose(theme: Theme): void {
    this.#theme = theme
    this.apply()
    try {
      localStorage.setItem(storageKey, theme)
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }

  apply(): void {
    if (this.#theme === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = this.#theme
  }
}

export const appearance = new Appearance()

function stored(): Theme {
  try {
    return themes.find((theme) => theme === localStorage.getItem(storageKey)) ?? 'system'
  } catch {
    return 'system'
  }
}
