/** A piece of HTML that is safe to show as it is. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | Part[] | string | number | undefined

/** HTML from a template: what is put in is escaped, unless it is Html itself. */
export function html(texts: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(texts.map((text, index) => text + written(parts[index])).join(''))
}

/** The Markdown of our descriptions: paragraphs, `code` and **strong**. */
export function prose(text: string | undefined): Html {
  return html`${(text ?? '')
    .split('\n\n')
    .filter(Boolean)
    .map((paragraph) => html`<p>${inline(paragraph)}</p>`)}`
}

/** The same without paragraphs. */
export function inline(text: string): Html {
  const marked = /`([^`]+)`|\*\*([^*]+)\*\*/g
  const pieces: Html[] = []
  let end = 0
  for (const { 0: whole, 1: code, 2: strong, index } of text.matchAll(marked)) {
    pieces.push(html`${text.slice(end, index)}`)
    pieces.push(code === undefined ? html`<strong>${strong}</strong>` : html`<code>${code}</code>`)
    end = index + whole.length
  }
  return html`${pieces}${text.slice(end)}`
}

function written(part: Part): string {
  if (part instanceof Html) return part.text
  if (Array.isArray(part)) return part.map(written).join('')
  return part === undefined ? '' : escaped(String(part))
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
