import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { connect } from 'node:tls'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { type Listener, startListener } from '../../src/http/server.ts'
import { Certificates } from '../../src/http/tls.ts'
import { testCertificate } from '../support/certificate.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { TlsFiles } from '../support/tls-files.ts'
import { exchange, Wire } from '../support/wire.ts'

onEveryEngine((engine) => {
  let server: TestServer
  let files: TlsFiles
  let certificates: Certificates
  let listener: Listener
  let origin: string
  let get: (path: string) => string
  before(async () => {
    server = await startTestServer(engine)
    files = new TlsFiles()
    const tls = [files.write('only', testCertificate)]
    const app = { ...server.app, config: { ...server.config, tls } }
    certificates = new Certificates(app, tls)
    const listen = { host: '127.0.0.1', port: 0 }
    listener = await startListener({ kind: 'api', app, listen, routes: apiRoutes, certificates })
    origin = `https://127.0.0.1:${listener.port}`
    get = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: LoginTC key="${server.acme.apiKey}"\r\n\r\n`
  })
  after(async () => {
    await listener.close()
    certificates.close()
    files.remove()
    await server.stop()
  })

  it('with a certificate the listener speaks https, and tells browsers to stay with it', async () => {
    const answer = await exchange(origin, get('/api/ping'))
    assert.equal(answer.body, '{"status":"OK"}')
    assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000')
  })

  it('what is refused before any route has the envelope there, too', async () => {
    for (const [request, status] of [
      ['nonsense\r\n\r\n', 400],
      [`GET /${'a'.repeat(9_000)} HTTP/1.1\r\n\r\n`, 414],
    ] as const) {
      const answer = await exchange(origin, request)
      assert.equal(answer.status, status)
      assert.equal(JSON.parse(answer.body).errors.length, 1)
      assert.equal(answer.headers['strict-transport-security'], 'max-age=31536000')
    }
    assert.equal((await exchange(origin, get('/api/users?username=\xe9'))).status, 404)
  })

  it('nothing older than TLS 1.2 is spoken', async () => {
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const socket = connect({ host: '127.0.0.1', port: listener.port, rejectUnauthorized: false, ...old })
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.once('error', resolve))
    assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  })

  it('stopping ends an idle connection and one that has said nothing yet', async () => {
    const idle = await Wire.open(origin)
    await idle.send(get('/api/ping')).answer()
    const silent = await Wire.open(origin)
    await listener.close()
    assert.equal(await idle.closed(), '')
    assert.equal(await silent.closed(), '')
  })
})
