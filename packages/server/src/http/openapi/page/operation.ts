import {
  type MediaType,
  type OpenApi,
  type OperationObject,
  type ParameterObject,
  type ResponseObject,
  resolved,
} from '../open-api.ts'
import { type Html, html, inline, prose } from './html.ts'
import { schemaTable, typeOf } from './schema.ts'

/** Where an operation stands in the document. */
export interface Placed {
  path: string
  method: string
  operation: OperationObject
}

/** One operation: what it is for, what it takes, what it answers, and a request that works as it stands. */
export function operationSection({ path, method, operation }: Placed, document: OpenApi): Html {
  const parameters = (operation.parameters ?? []).map((each) => resolved(each, document.components.parameters))
  const permission = operation['x-permission']
  return html`<section class="operation" id="${operation.operationId}">
<div class="told">
<h4><a href="#${operation.operationId}">${operation.summary}</a></h4>
<p class="address">${methodMark(method)} <code>${path.split('/').map((part, index) => html`${index ? html`/<wbr>` : ''}${part}`)}</code></p>
<p class="needs">${permission === undefined ? 'Needs no credentials' : html`Needs <code>${permission}</code>`}</p>
${prose(operation.description)}
${parameterTable(parameters)}
${bodyTable(operation)}
${answers(operation, document)}
</div>
<div class="shown">
${requestExamples({ path, method, operation }, parameters, document)}
${replyExamples(operation, document)}
</div>
</section>`
}

export function methodMark(method: string): Html {
  return html`<span class="method ${method}">${method.toUpperCase()}</span>`
}

function parameterTable(parameters: ParameterObject[]): Html {
  if (parameters.length === 0) return html``
  return html`<h5>Parameters</h5><table class="members"><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">What it is</th></tr></thead>
<tbody>${parameters.map(parameterRow)}</tbody></table>`
}

function parameterRow({ name, in: place, required, description, schema }: ParameterObject): Html {
  const where = place === 'path' ? 'in the path' : place
  return html`<tr><th scope="row"><code>${name}</code> <span class="required">${required && place !== 'path' ? 'required, ' : ''}${where}</span></th>
<td data-label="Type">${typeOf(schema)}</td><td>${inline(description ?? '')}</td></tr>`
}

function bodyTable({ requestBody }: OperationObject): Html {
  const [media] = Object.values(requestBody?.content ?? {})
  if (media?.schema) return html`<h5>Body</h5>${schemaTable(media.schema)}`
  return requestBody
    ? html`<h5>Body</h5><p class="kind"><code>${Object.keys(requestBody.content)[0]}</code></p>`
    : html``
}

function answers({ responses, ...operation }: OperationObject, { components }: OpenApi): Html {
  const common = operation['x-permission'] === undefined ? [] : ['401', '403', '500', '503']
  const rows = Object.entries(responses).map(([status, each]) => {
    // A refusal of one code that every operation has is told of once, at the end of the page.
    if (common.includes(status) && '$ref' in each) return html``
    const response = resolved(each, components.responses)
    const words = html`${prose(response.description)}${typesOf(response, status)}${headersOf(response)}`
    return html`<tr class="${status < '300' ? 'good' : 'bad'}"><th scope="row">${status}</th><td>${words}</td></tr>`
  })
  const others = html`<p class="common">And <a href="#errors">the errors of every operation</a>.</p>`
  return html`<h5>Answers</h5><table class="answers"><tbody>${rows}</tbody></table>${others}`
}

function typesOf({ content }: ResponseObject, status: string): Html {
  if (status >= '300') return html``
  return html`${Object.entries(content ?? {}).map(
    ([type, { schema }]) => html`<p>${schema ? html`${typeOf(schema)} as ` : ''}<code>${type}</code></p>`,
  )}`
}

function headersOf({ headers }: ResponseObject): Html {
  return html`${Object.entries(headers ?? {}).map(
    ([name, { description }]) => html`<p><code>${name}</code>: ${inline(description)}</p>`,
  )}`
}

function requestExamples(placed: Placed, parameters: ParameterObject[], document: OpenApi): Html {
  const { path, method, operation } = placed
  const url = (document.servers[0]?.url ?? '') + addressOf(path, parameters)
  const bodies = examplesOf(Object.values(operation.requestBody?.content ?? {})[0])
  const accepted = acceptedBy(operation, document)
  const all = bodies.length > 0 ? bodies : [{ title: '', value: undefined }, ...accepted.values()]
  return html`${all.map(({ title, value }) => {
    const accept = accepted.get(title)?.type
    const credentials = credentialsOf(operation)
    const request = { method, url, accept, credentials, file: fileOf(operation) }
    return codeBlock(title ? `Request: ${title}` : 'Request', curl(request, value))
  })}`
}

/** The examples whose answers come only to who asks for their media type, by title. */
function acceptedBy({ responses }: OperationObject, { components }: OpenApi) {
  const [first] = Object.values(responses)
  const [, ...others] = Object.entries((first && resolved(first, components.responses).content) ?? {})
  const examples = others.flatMap(([type, media]) =>
    examplesOf(media).map(({ title }) => ({ type, title, value: undefined })),
  )
  return new Map(examples.map((example) => [example.title, example]))
}

function addressOf(path: string, parameters: ParameterObject[]): string {
  const filled = parameters
    .filter((parameter) => parameter.in === 'path')
    .reduce((text, { name, example }) => text.replace(`{${name}}`, String(example)), path)
  const [query] = parameters.filter((parameter) => parameter.in === 'query' && parameter.example !== undefined)
  return query ? `${filled}?${query.name}=${encodeURIComponent(String(query.example))}` : filled
}

interface Request {
  method: string
  url: string
  accept: string | undefined
  /** a header, or '' */
  credentials: string
  /** name of the file that is the body, or '' */
  file: string
}

function credentialsOf({ security }: OperationObject): string {
  const [scheme = ''] = Object.keys(security[0] ?? {})
  const headers: Record<string, string> = {
    apiKey: 'Authorization: LoginTC key=$KEY',
    bearer: 'Authorization: Bearer $KEY',
    cookie: 'Cookie: __Host-countersign=$SESSION',
  }
  return headers[scheme] ?? ''
}

function fileOf({ requestBody }: OperationObject): string {
  const [type = ''] = Object.keys(requestBody?.content ?? {})
  const [, kind = ''] = type.split('/')
  return kind === '' || kind.endsWith('json') ? '' : `file.${kind}`
}

function curl({ method, url, accept, credentials, file }: Request, body: unknown): string {
  const verb = method === 'get' || (method === 'post' && body !== undefined) ? '' : ` -X ${method.toUpperCase()}`
  const parts = [`curl${verb} '${url}'`]
  if (credentials) parts.push(`-H "${credentials}"`)
  if (accept) parts.push(`-H 'Accept: ${accept}'`)
  if (file) parts.push(`--data-binary @${file}`)
  else if (body !== undefined) parts.push(`-d '${JSON.stringify(body, null, 2).replaceAll("'", "'\\''")}'`)
  return parts.join(' \\\n  ')
}

function replyExamples({ responses }: OperationObject, { components }: OpenApi): Html {
  const [[status = '', first] = []] = Object.entries(responses)
  if (!first) return html``
  const media = Object.values(resolved(first, components.responses).content ?? {})
  const examples = media.flatMap(examplesOf)
  if (examples.length === 0) return codeBlock(`Answer ${status}`, media.length > 0 ? '(bytes)' : '(empty)')
  return html`${examples.map(({ title, value }) =>
    codeBlock(`Answer ${status}${title ? `: ${title}` : ''}`, JSON.stringify(value, null, 2)),
  )}`
}

function examplesOf(media: MediaType | undefined): { title: string; value: unknown }[] {
  if (media?.example !== undefined) return [{ title: '', value: media.example }]
  return Object.values(media?.examples ?? {}).map(({ summary = '', value }) => ({ title: summary, value }))
}

function codeBlock(title: string, text: string): Html {
  return html`<figure><figcaption>${title}</figcaption><pre tabindex="0"><code>${text}</code></pre></figure>`
}
