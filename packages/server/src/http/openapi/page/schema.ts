import type { SchemaObject } from '../open-api.ts'
import { type Html, html, inline } from './html.ts'

interface Row {
  name: string
  required: boolean
  schema: SchemaObject
}

/** The members of an object as a table; of another kind of value, what it is. */
export function schemaTable(schema: SchemaObject): Html {
  const rows = rowsOf(schema, '')
  if (rows.length === 0) return html`<p class="kind">${typeOf(schema)}${aboutOf(schema)}</p>`
  return html`<table class="members"><thead><tr><th scope="col">Member</th><th scope="col">Type</th><th scope="col">What it is</th></tr></thead>
<tbody>${rows.map(row)}</tbody></table>`
}

function row({ name, required, schema }: Row): Html {
  const mark = required ? html` <span class="required">required</span>` : html``
  return html`<tr><th scope="row"><code>${broken(name)}</code>${mark}</th><td data-label="Type">${typeOf(schema)}</td><td>${aboutOf(schema)}</td></tr>`
}

// A narrow column breaks a name where its words meet.
function broken(name: string): Html {
  return html`${name.split(/(?=[A-Z[.])/).map((word, index) => html`${index ? html`<wbr>` : ''}${word}`)}`
}

/** Members of members stand below them, under their whole name. */
function rowsOf(schema: SchemaObject, within: string): Row[] {
  const inner = schema.items && !schema.items.$ref ? rowsOf(schema.items, `${within}[]`) : []
  // What one kind of value must have, another may not know.
  const options = (schema.anyOf ?? []).flatMap((option) =>
    rowsOf(option, within).map((row) => ({ ...row, required: row.required && option.properties === undefined })),
  )
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const whole = within ? `${within}.${name}` : name
    return [
      { name: whole, required: schema.required?.includes(name) ?? false, schema: member },
      ...rowsOf(member, whole),
    ]
  })
  return unique([...own, ...inner, ...options])
}

// The kinds of a union share members; one row says enough.
function unique(rows: Row[]): Row[] {
  return [...new Map(rows.toReversed().map((row) => [row.name, row])).values()].toReversed()
}

/** The type of a value in words; a component by its name, with the way to it. */
export function typeOf(schema: SchemaObject): Html {
  if (schema.$ref) return componentLink(schema.$ref)
  if (schema.anyOf) return joined(schema.anyOf.map(typeOf))
  if (schema.items) return html`list of ${typeOf(schema.items)}`
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`
  if (schema.enum) return joined(schema.enum.map((word) => html`<code>${String(word)}</code>`))
  return html`${schema.type ?? 'any value'}`
}

function joined(kinds: Html[]): Html {
  const texts = [...new Map(kinds.map((kind) => [kind.text, kind])).values()]
  return html`${texts.map((kind, index) => html`${separator(index, texts.length)}${kind}`)}`
}

function separator(index: number, count: number): string {
  if (index === 0) return ''
  return index === count - 1 ? ' or ' : ', '
}

function componentLink(ref: string): Html {
  const name = ref.split('/').at(-1) ?? ''
  return html`<a href="#object-${name}">${name}</a>`
}

function aboutOf(schema: SchemaObject): Html {
  const limits = limitsOf(schema)
  const about = schema.description ? inline(schema.description) : html``
  if (limits === '') return about
  return schema.description
    ? html`${about} <span class="limits">(${limits})</span>`
    : html`<span class="limits">${limits}</span>`
}

function limitsOf(schema: SchemaObject): string {
  const { minimum, maximum, minLength, maxLength, maxItems } = schema
  const limits = [
    span(minimum, maximum, ''),
    span(minLength, maxLength, ' characters'),
    span(undefined, maxItems, ' items'),
  ]
  return limits.filter(Boolean).join(', ')
}

function span(from: number | undefined, to: number | undefined, unit: string): string {
  if (from !== undefined && from === to) return `${from}${unit}`
  if (from !== undefined && to !== undefined) return `${from}–${to}${unit}`
  if (to !== undefined) return `at most ${to}${unit}`
  return from === undefined ? '' : `at least ${from}${unit}`
}
