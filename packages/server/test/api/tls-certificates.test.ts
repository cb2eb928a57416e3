import assert from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { apiRoutes } from '../../src/http/api/routes.ts'
import { type Listener, startListener } from '../../src/http/server.ts'
import { Certificates } from '../../src/http/tls.ts'
import { testCertificate, testCertificates } from '../support/certificate.ts'
import { onEveryEngine } from '../support/engines.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { serialOf, shownBy, TlsFiles } from '../support/tls-files.ts'
import { exchange, Wire } from '../support/wire.ts'

const { renewed, exact, wildcard } = testCertificates
const [oldSerial, newSerial] = [serialOf(testCertificate), serialOf(renewed)]

onEveryEngine((engine) => {
  let server: TestServer
  let files: TlsFiles
  let get: string
  before(async () => {
    server = await startTestServer(engine)
    files = new TlsFiles()
    get = `GET /api/ping HTTP/1.1\r\nHost: x\r\nAuthorization: LoginTC key="${server.acme.apiKey}"\r\n\r\n`
  })
  after(async () => {
    files.remove()
    await server.stop()
  })

  const open: { listener: Listener; certificates: Certificates }[] = []
  after(async () => {
    for (const { listener, certificates } of open) {
      certificates.close()
      await listener.close()
    }
  })

  /** A listener over these certificates, whose files are looked at so often. */
  async function listen(pairs: ConstructorParameters<typeof Certificates>[1], everyMs = 600_000) {
    const certificates = new Certificates(server.app, pairs, everyMs)
    const listen = { host: '127.0.0.1', port: 0 }
    const listener = await startListener({ kind: 'api', app: server.app, listen, routes: apiRoutes, certificates })
    open.push({ listener, certificates })
    return { certificates, origin: `https://127.0.0.1:${listener.port}` }
  }

  /** Asks again and again; each answer must come, and come from one of the two. */
  async function shownInTheEnd(origin: string, serial: string): Promise<void> {
    for (;;) {
      const shown = await shownBy(origin)
      if (shown === serial) return
      assert.equal(shown, oldSerial)
    }
  }

  it('a client is shown the certificate of the name that it asks for, and the first when it names none or another', async () => {
    const { origin } = await listen([
      files.write('first', testCertificate),
      files.write('wildcard', wildcard),
      files.write('exact', exact),
    ])
    for (const [name, certificate] of [
      [undefined, testCertificate],
      ['localhost', testCertificate],
      ['login.example.org', exact],
      ['LOGIN.EXAMPLE.ORG', exact],
      ['other.example.org', wildcard],
      ['example.net', wildcard],
      ['example.org', testCertificate],
      ['a.b.example.org', testCertificate],
      ['subject.example.net', testCertificate],
      ['elsewhere.example.com', testCertificate],
      ['xn--mller-kva.example.com', testCertificate],
    ] as const) {
      assert.equal(await shownBy(origin, name), serialOf(certificate), name)
    }
  })

  it('a client without the name of a host, or with a strange one, still gets its answer', async () => {
    const { origin } = await listen([files.write('first', testCertificate), files.write('exact', exact)])
    assert.equal((await exchange(origin, get)).body, '{"status":"OK"}')
    for (const name of ['*', '*.example.org', '.', '..', '.example.org', 'a'.repeat(250), 'b_c', 'ü.example']) {
      assert.equal(await shownBy(origin, name), oldSerial, name)
    }
  })

  it('reading again replaces the certificates for who names a host and who does not, and breaks no connection', async () => {
    const pairs = [files.write('default', testCertificate), files.write('named', exact)]
    const { origin, certificates } = await listen(pairs)
    const before = await Wire.open(origin)
    await before.send(get).answer()
    for (const [index, pem] of [renewed, wildcard].entries()) files.rename(pairs[index] ?? assert.fail(), pem)
    await certificates.reload()
    assert.equal(await shownBy(origin), newSerial)
    assert.equal(await shownBy(origin, 'other.example.org'), serialOf(wildcard))
    assert.equal(await shownBy(origin, 'login.example.org'), serialOf(wildcard))
    assert.equal((await before.send(get).answer()).status, 200)
    before.close()
  })

  for (const [way, replace] of Object.entries({
    'by renaming': (pair: { cert: string; key: string }) => files.rename(pair, renewed),
    'by writing into them': ({ cert, key }: { cert: string; key: string }) => {
      writeFileSync(key, renewed.key)
      writeFileSync(cert, renewed.cert)
    },
  })) {
    it(`files that are replaced ${way} are noticed, and meanwhile every handshake succeeds`, async () => {
      const pair = files.write(`replaced ${way}`, testCertificate)
      const { origin } = await listen([pair], 5)
      assert.equal(await shownBy(origin), oldSerial)
      replace(pair)
      await shownInTheEnd(origin, newSerial)
    })
  }

  it('a directory of links that is exchanged as a whole, as Kubernetes does, is noticed', async () => {
    const at = (...names: string[]) => join(files.directory, 'mounted', ...names)
    for (const [version, pem] of Object.entries({ '..1': testCertificate, '..2': renewed })) {
      mkdirSync(at(version), { recursive: true })
      writeFileSync(at(version, 'tls.crt'), pem.cert)
      writeFileSync(at(version, 'tls.key'), pem.key)
    }
    symlinkSync('..1', at('..data'))
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), at(name))
    const { origin } = await listen([{ cert: at('tls.crt'), key: at('tls.key') }], 5)
    assert.equal(await shownBy(origin), oldSerial)
    symlinkSync('..2', at('..next'))
    renameSync(at('..next'), at('..data'))
    await shownInTheEnd(origin, newSerial)
  })

  it('new files that cannot be used are told once, and the old certificate stays until there are better ones', async () => {
    const pair = files.write('breaks', testCertificate)
    const { origin, certificates } = await listen([pair])
    for (const [what, pem] of Object.entries({
      'no certificate': { cert: 'garbage', key: renewed.key },
      'no key': { cert: renewed.cert, key: '' },
      'a key of another': { cert: renewed.cert, key: exact.key },
    })) {
      files.rename(pair, pem)
      server.logged.length = 0
      await certificates.reload()
      await certificates.reload()
      assert.equal(await shownBy(origin), oldSerial, what)
      const alarms = server.logged.filter(({ alarm, level }) => alarm === 'certificate.unusable' && level === 50)
      assert.deepEqual(
        alarms.map(({ certificate }) => certificate),
        [pair.cert],
        what,
      )
      assert.ok(!JSON.stringify(server.logged).includes(renewed.key.slice(40, 80)), what)
    }
    files.remove()
    await certificates.reload()
    assert.equal(await shownBy(origin), oldSerial)
    mkdirSync(files.directory)
    files.write('breaks', renewed)
    await certificates.reload()
    assert.equal(await shownBy(origin), newSerial)
  })
})
