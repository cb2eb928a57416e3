// The web app, as the device listener serves it.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { appFileRoutes } from '../../src/http/device/app-files.ts'
import { deviceRoutes } from '../../src/http/device/routes.ts'
import { type Listener, startListener } from '../../src/http/server.ts'
import { onSqlite } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const script = `console.log(${JSON.stringify('x'.repeat(2_000))})\n`
const asset = '/assets/index-CK9ssHyk.js'

onSqlite((engine) => {
  let server: TestServer
  let built: string
  const listeners: Listener[] = []
  let origin: string
  before(async () => {
    server = await startTestServer(engine)
    built = mkdtempSync(join(tmpdir(), 'countersign-app-'))
    mkdirSync(join(built, 'assets'))
    const files = {
      'index.html': '<!doctype html><title>App</title>',
      'sw.js': 'self.addEventListener("push", () => {})',
      'manifest.webmanifest': '{"name":"App"}',
      [asset.slice(1)]: script,
      [`${asset.slice(1)}.br`]: brotliCompressSync(script),
      [`${asset.slice(1)}.gz`]: gzipSync(script),
      'assets/index-CK9ssHyk.js.map': '{}',
    }
    for (const [name, content] of Object.entries(files)) writeFileSync(join(built, name), content)
    origin = await serve(built)
  })
  after(async () => {
    for (const listener of listeners) await listener.close()
    rmSync(built, { recursive: true })
    await server.stop()
  })

  async function serve(directory: string): Promise<string> {
    const routes = [...deviceRoutes, ...appFileRoutes(server.app, directory)]
    const listen = { host: '127.0.0.1', port: 0 }
    const listener = await startListener({ app: server.app, kind: 'device', listen, routes })
    listeners.push(listener)
    return `http://127.0.0.1:${listener.port}`
  }

  it('T31: sends the page with a policy that allows nothing inline, no frame and no other origin', async () => {
    for (const path of ['/', '/a']) {
      const response = await fetch(origin + path)
      assert.equal(response.status, 200)
      assert.equal(await response.text(), '<!doctype html><title>App</title>')
      const headers = Object.fromEntries(response.headers)
      assert.equal(headers['content-type'], 'text/html; charset=utf-8')
      assert.deepEqual(headers['content-security-policy']?.split('; '), [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        'trusted-types svelte-trusted-html countersign-worker',
      ])
      assert.equal(headers['referrer-policy'], 'no-referrer')
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin')
      assert.match(headers['permissions-policy'] ?? '', /camera=\(self\)/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      for (const name of Object.keys(headers)) assert.ok(!/^access-control-|^set-cookie/.test(name), name)
    }
  })

  it('lets what has a hash in its name be kept for ever, and has everything else asked for again', async () => {
    const types = {
      [asset]: 'text/javascript; charset=utf-8',
      '/sw.js': 'text/javascript; charset=utf-8',
      '/manifest.webmanifest': 'application/manifest+json',
    }
    for (const [path, type] of Object.entries(types)) {
      const { status, headers } = await fetch(origin + path)
      assert.deepEqual([status, headers.get('content-type')], [200, type])
      const caching = path === asset ? 'public, max-age=31536000, immutable' : 'no-cache'
      assert.equal(headers.get('cache-control'), caching, path)
    }
    const etag = (await fetch(`${origin}/`)).headers.get('etag') ?? ''
    for (const [known, status] of [
      [etag, 304],
      [`"other", W/${etag}`, 304],
      ['"other"', 200],
    ] as const) {
      const again = await fetch(`${origin}/`, { headers: { 'if-none-match': known } })
      assert.deepEqual([again.status, again.headers.get('etag')], [status, etag])
      assert.equal((await again.text()).length > 0, status === 200)
    }
  })

  it('sends what the build has compressed, to those that can read it', async () => {
    const cases = [
      ['br, gzip', 'br', brotliCompressSync(script).length],
      ['gzip;q=0.5, BR;q=0', 'gzip', gzipSync(script).length],
      ['identity', null, script.length],
      ['zstd, br;q=0.0', null, script.length],
    ] as const
    for (const [accepted, encoding, length] of cases) {
      const response = await fetch(origin + asset, { headers: { 'accept-encoding': accepted } })
      assert.equal(response.headers.get('content-encoding'), encoding, accepted)
      assert.equal(response.headers.get('content-length'), String(length), accepted)
      assert.equal(response.headers.get('vary'), 'accept-encoding')
      assert.equal(await response.text(), script)
    }
  })

  it('answers HEAD without a body, and other methods with what there is', async () => {
    const head = await fetch(origin + asset, { method: 'HEAD', headers: { 'accept-encoding': 'identity' } })
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, String(script.length)])
    assert.equal(await head.text(), '')
    const post = await fetch(`${origin}/`, { method: 'POST', body: '{}' })
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
  })

  it('has the usual envelope for everything that is no file of the app', async () => {
    const paths = [
      ...[
        '/nothing',
        '/index.html.br',
        '/assets/',
        `${asset}.br`,
        `${asset}.map`,
        '/%2e%2e/package.json',
        '/..%2fpackage.json',
      ],
      ...['/assets/%00', '//etc/passwd', '/api/ping', '/device/v1/nothing'],
    ]
    for (const path of paths) {
      const response = await fetch(origin + path)
      assert.equal(response.status, 404, path)
      assert.equal(response.headers.get('content-type'), 'application/json')
      assert.equal(((await response.json()) as { errors: [{ code: string }] }).errors[0].code, 'not_found')
    }
  })

  it('says what to run where the app was not built, and answers phones all the same', async () => {
    const bare = await serve(join(built, 'nowhere'))
    for (const path of ['/', '/a']) {
      const response = await fetch(bare + path)
      assert.deepEqual([response.status, response.headers.get('content-type')], [503, 'text/plain; charset=utf-8'])
      assert.match(await response.text(), /npm run build/)
    }
    assert.equal((await fetch(`${bare}${asset}`)).status, 404)
    assert.equal((await fetch(`${bare}/device/v1/server`)).status, 200)
    assert.ok(server.logged.some(({ msg }) => /npm run build/.test(String(msg))))
  })
})
