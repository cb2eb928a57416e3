// A page that shows any screen in any state: http://localhost:PORT/?state=request&language=de&theme=dark, or the list of all.
// gallery.show(…) changes it without loading again, for who takes pictures.
import { flushSync, mount, unmount } from 'svelte'
import '../../src/style/index.css'
import { language } from '../../src/words/language.svelte.ts'
import { heard, type Shown, states } from './states.ts'

declare global {
  interface Window {
    gallery: { names: string[]; keyboards: string[]; show: typeof show; heard: string[] }
  }
}

let shown: object | undefined

async function show(name: string, in_: Shown, theme: 'light' | 'dark'): Promise<void> {
  const state = states[name]
  if (!state) throw new Error(`no state is called ${name}`)
  if (shown) await unmount(shown)
  language.use(in_)
  document.documentElement.dataset.theme = theme
  const target = document.getElementById('app')
  if (!target) throw new Error('the page has no #app')
  target.replaceChildren()
  window.scrollTo(0, 0)
  state.mount((component, props) => {
    shown = mount(component, { target, props })
  }, in_)
  flushSync()
  const focus = state.focus && document.querySelector(state.focus)
  if (focus instanceof HTMLElement) focus.focus()
  await document.fonts.ready
}

const keyboards = Object.keys(states).filter((name) => states[name]?.keyboard)
window.gallery = { names: Object.keys(states), keyboards, show, heard }

const asked = new URLSearchParams(location.search)
const name = asked.get('state')
if (name)
  await show(name, asked.get('language') === 'de' ? 'de' : 'en', asked.get('theme') === 'dark' ? 'dark' : 'light')
else document.getElementById('app')?.append(...window.gallery.names.map(link))

function link(state: string): HTMLElement {
  const anchor = document.createElement('a')
  anchor.href = `?state=${state}`
  anchor.textContent = `${state} `
  return anchor
}
