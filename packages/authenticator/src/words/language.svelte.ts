import { de } from './de.ts'
import { en } from './en.ts'
import { fallbackLocales, type LanguageCode, Times } from './times.ts'

const dictionaries = { en, de }

/** Each language by its own name, in the order of the menu. */
export const languages: { code: LanguageCode; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'de', name: 'Deutsch' },
]

/** The language of the screens. Which one it is, is kept with the settings; use() follows them. */
class Language {
  #code = $state<LanguageCode>('en')

  get code(): LanguageCode {
    return this.#code
  }

  readonly words = $derived(dictionaries[this.#code])
  readonly times = $derived(new Times(localeOf(this.#code)))

  /** Also tells the browser, so that a screen reader pronounces it right. */
  use(code: LanguageCode): void {
    this.#code = code
    document.documentElement.lang = code
  }
}

export const language = new Language()

/** The browser's own locale where it is of this language: 2:32 PM for who is used to it. */
function localeOf(code: LanguageCode): string {
  return navigator.languages.find((tag) => tag.toLowerCase().startsWith(`${code}-`)) ?? fallbackLocales[code]
}
