import { keepLanguage } from '../kept-language.ts'
import type { Language, Settings, Theme } from './model.ts'

const names = { language: 'countersign.language', theme: 'countersign.theme' }

/** Language and theme: kept outside the database, because the first paint needs them. */
export class PhoneSettings implements Settings {
  readonly version = __APP_VERSION__
  #language = $state<Language>(readLanguage())
  #theme = $state<Theme>(readTheme())
  #persisted = $state(false)

  constructor() {
    this.#show()
    void navigator.storage?.persisted?.().then((persisted) => {
      this.#persisted = persisted
    })
    // Another tab has changed one.
    addEventListener('storage', () => {
      this.#language = readLanguage()
      this.#theme = readTheme()
      this.#show()
    })
  }

  get language(): Language {
    return this.#language
  }

  get theme(): Theme {
    return this.#theme
  }

  get persisted(): boolean {
    return this.#persisted
  }

  setLanguage(language: Language): void {
    this.#language = language
    localStorage.setItem(names.language, language)
    this.#show()
  }

  setTheme(theme: Theme): void {
    this.#theme = theme
    localStorage.setItem(names.theme, theme)
    this.#show()
  }

  notePersisted(persisted: boolean): void {
    this.#persisted = persisted
  }

  #show(): void {
    const root = document.documentElement
    root.lang = this.#language
    if (chosen(names.language) !== null) void keepLanguage(this.#language)
    if (this.#theme === 'system') delete root.dataset.theme
    else root.dataset.theme = this.#theme
  }
}

function readLanguage(): Language {
  const language = chosen(names.language) ?? navigator.language
  return language.toLowerCase().startsWith('de') ? 'de' : 'en'
}

function readTheme(): Theme {
  const theme = chosen(names.theme)
  return theme === 'light' || theme === 'dark' ? theme : 'system'
}

function chosen(name: string): string | null {
  try {
    return localStorage.getItem(name)
  } catch {
    return null // site data is switched off, and what says so needs a language
  }
}
