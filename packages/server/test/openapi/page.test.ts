import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, it } from 'node:test'
import { chapters, openApiDocument } from '../../src/http/openapi/document.ts'
import { template } from '../../src/http/openapi/names.ts'
import { page } from '../../src/http/openapi/page/page.ts'
import { onSqlite } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onSqlite((engine) => {
  let server: TestServer
  let headers: Headers
  let text: string
  before(async () => {
    server = await startTestServer(engine)
    const response = await fetch(`${server.apiUrl}/docs`)
    assert.equal(response.status, 200)
    headers = response.headers
    text = await response.text()
  })
  after(() => server.stop())

  it('the page runs nothing, loads nothing and sends nothing, and its policy says so', () => {
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(text) ?? []
    const hash = createHash('sha256').update(style).digest('base64')
    assert.deepEqual(headers.get('content-security-policy')?.split('; '), [
      "default-src 'none'",
      `style-src 'sha256-${hash}'`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ])
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.doesNotMatch(
      text,
      /<script|<link rel="(?!icon)|<iframe|<form|<img|\sstyle=|\son\w+=|javascript:|@import|url\(/i,
    )
    for (const [, address = ''] of text.matchAll(/(?:href|src)="([^"]*)"/g)) {
      assert.match(address, /^(#[\w-]+|\/openapi\.json|data:image\/svg\+xml;base64,[\w+/=]+)$/)
    }
  })

  it('every operation is on it, with its address, permission and example, and every link leads somewhere', () => {
    for (const { id, method, path, permission } of chapters.flatMap(({ operations }) => operations)) {
      const [, section = ''] = text.split(`<section class="operation" id="${id}">`)
      const words = (section.split('</section>')[0] ?? '').replaceAll(/<[^>]+>/g, '')
      for (const part of [
        method,
        template(path),
        ...(permission === null ? [] : [permission]),
        `curl`,
        server.apiUrl,
      ]) {
        assert.ok(words.includes(part), `${id} does not say ${part}`)
      }
    }
    const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id)
    assert.equal(new Set(ids).size, ids.length, 'an id is there twice')
    for (const [, target = ''] of text.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.includes(target), target)
  })

  it('whatever stands in the document is text on the page', () => {
    const hostile = `<img src=x onerror=alert(1)>"'&\`<b>\`**</p><script>**`
    const document = JSON.parse(JSON.stringify(openApiDocument(hostile), (_, value: unknown) => spoilt(value, hostile)))
    const shown = page(document)
    assert.doesNotMatch(shown, /<img|<script|<b>/)
    assert.ok(shown.includes('&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;'))
  })
})

/** The same with a hostile text wherever a sentence stands. */
function spoilt(value: unknown, hostile: string): unknown {
  return typeof value === 'string' && / /.test(value) ? `${value} ${hostile}` : value
}
