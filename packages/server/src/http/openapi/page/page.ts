import { createHash } from 'node:crypto'
import type { OpenApi } from '../open-api.ts'
import { Html, html, inline, prose } from './html.ts'
import { methodMark, operationSection, type Placed } from './operation.ts'
import { schemaTable } from './schema.ts'
import { style } from './style.ts'

const styleHash = createHash('sha256').update(style).digest('base64')

/** The page runs nothing and loads nothing: its style is its own. */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

/** The document for people: one page, found through by the browser's own search. */
export function page(document: OpenApi): string {
  const placed = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${document.info.title} API</title>
<link rel="icon" href="${icon}">
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>${mark}<a class="name" href="#content">${document.info.title}</a><span class="what">API reference</span>
<a class="file" href="/openapi.json">openapi.json</a></header>
<nav aria-label="Contents">${contents(document, placed)}</nav>
<main id="content">
${beginning(document)}
${document['x-tagGroups'].map((group) => chapter(group, document, placed))}
${objects(document)}
${errors(document)}
</main>
</body>
</html>
`.text
}

function beginning({ info, servers, components }: OpenApi): Html {
  const schemes = Object.entries(components.securitySchemes)
  return html`<section class="beginning"><h1>${info.title} API</h1>
${prose(info.description)}
<dl><dt>Address</dt><dd><code>${servers[0]?.url}</code></dd>
${schemes.map(([name, { description }]) => html`<dt>${schemeNames[name] ?? name}</dt><dd>${inline(description)}</dd>`)}</dl>
</section>`
}

const schemeNames: Record<string, string> = { apiKey: 'API key', bearer: 'Bearer', cookie: 'Cookie' }

function contents(document: OpenApi, placed: Placed[]): Html {
  const groups = document['x-tagGroups'].map(
    ({ name, tags }) =>
      html`<li><a class="chapter" href="#${slug(name)}">${name}</a><ul>${tags.map(
        (tag) =>
          html`<li><a class="tag" href="#${slug(tag)}">${tag}</a><ul>${ofTag(placed, tag).map(
            ({ method, operation }) =>
              html`<li><a class="to" href="#${operation.operationId}">${methodMark(method)}<span>${operation.summary}</span></a></li>`,
          )}</ul></li>`,
      )}</ul></li>`,
  )
  return html`<ul>${groups}<li><a class="chapter" href="#objects">Objects</a></li><li><a class="chapter" href="#errors">Errors</a></li></ul>`
}

function chapter(
  { name, description, tags }: OpenApi['x-tagGroups'][number],
  document: OpenApi,
  placed: Placed[],
): Html {
  const sections = tags.map((tag) => {
    const about = document.tags.find((each) => each.name === tag)?.description
    const operations = ofTag(placed, tag).map((each) => operationSection(each, document))
    return html`<section class="tagged" id="${slug(tag)}"><h3><a href="#${slug(tag)}">${tag}</a></h3>${prose(about)}${operations}</section>`
  })
  return html`<section class="chapter" id="${slug(name)}"><div class="opening"><h2>${name}</h2>${prose(description)}</div>${sections}</section>`
}

function objects({ components }: OpenApi): Html {
  const all = Object.entries(components.schemas).map(
    ([name, schema]) =>
      html`<section class="object" id="object-${name}"><h3><a href="#object-${name}">${name}</a></h3>${schemaTable(schema)}</section>`,
  )
  return html`<section class="chapter" id="objects"><div class="opening"><h2>Objects</h2></div>${all}</section>`
}

const common = ['api.error.unauthorized', 'api.error.forbidden', 'api.error.internal', 'api.error.unavailable']

function errors({ components }: OpenApi): Html {
  const rows = Object.entries(components.responses)
    .sort(([one], [other]) => Number(common.includes(other)) - Number(common.includes(one)))
    .map(
      ([code, { description }]) =>
        html`<tr class="bad"><th scope="row"><code>${code}</code>${common.includes(code) ? html` <span class="required">of every operation</span>` : ''}</th><td>${inline(description.replace(`\`${code}\`: `, ''))}</td></tr>`,
    )
  const about = 'Whatever goes wrong has the same body, with one of these codes.'
  return html`<section class="chapter" id="errors"><div class="opening"><h2>Errors</h2>${prose(about)}</div>
<table class="members errors"><tbody>${rows}</tbody></table></section>`
}

function ofTag(placed: Placed[], tag: string): Placed[] {
  return placed.filter(({ operation }) => operation.tags.includes(tag))
}

function slug(name: string): string {
  return `s-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`
}

const sign = 'M38 5.68V29.5H21V56.66A27 27 0 0 1 38 5.68Z'
const counter = 'M26 58.32V34.5H43V7.34A27 27 0 0 1 26 58.32Z'
const mark = html`<svg class="mark" viewBox="0 0 64 64" aria-hidden="true"><path class="sign" d="${sign}"/><path class="counter" d="${counter}"/></svg>`
const iconText = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><style>.a{fill:#0f1714}.b{fill:#00573f}@media(prefers-color-scheme:dark){.a{fill:#eef4f1}.b{fill:#62d6ab}}</style><path class="a" d="${sign}"/><path class="b" d="${counter}"/></svg>`
const icon = `data:image/svg+xml;base64,${Buffer.from(iconText).toString('base64')}`
