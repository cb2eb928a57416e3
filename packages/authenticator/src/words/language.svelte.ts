import { de } from './de.ts'
import { en } from './en.ts'
import { fallbackLocales, type LanguageCode, Times } from './times.ts'

const dictionaries = { en, de }
const storageKey = 'language'

/** Each language by its own name, in the order of the menu. */
export const languages: { code: LanguageCode; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'de', name: 'Deutsch' },
]

/** The language of the screens: what the browser prefers until somebody chooses. */
class Language {
  #code = $state<LanguageCode>(stored() ?? preferred())

  get code(): LanguageCode {
    return this.#code
  }

  readonly words = $derived(dictionaries[this.#code])
  readonly times = $derived(new Times(localeOf(this.#code)))
  readonly other = $derived(languages.find((language) => language.code !== this.#code) ?? languages[0])

  choose(code: LanguageCode): void {
    this.#code = code
    this.apply()
    try {
      localStorage.setItem(storageKey, code)
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }

  /** Tells the browser, so that a screen reader pronounces it right. */
  apply(): void {
    document.documentElement.lang = this.#code
  }
}

export const language = new Language()

function stored(): LanguageCode | undefined {
  try {
    return languages.find((language) => language.code === localStorage.getItem(storageKey))?.code
  } catch {
    return undefined
  }
}

function preferred(): LanguageCode {
  for (const tag of navigator.languages) {
    const known = languages.find((language) => tag.toLowerCase().split('-')[0] === language.code)
    if (known) return known.code
  }
  return 'en'
}

/** The browser's own locale where it is of this language: 2:32 PM for who is used to it. */
function localeOf(code: LanguageCode): string {
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith(`${code}-`)) ?? fallbackLocales[code]
}
