// What an operator does to a running server by signals.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { it } from 'node:test'
import { testCertificate, testCertificates } from '../../server/test/support/certificate.ts'
import { onSqlite } from '../../server/test/support/engines.ts'
import { environmentOf, saysThatItRuns, spawnCountersign } from '../../server/test/support/process.ts'
import { serialOf, shownBy, TlsFiles } from '../../server/test/support/tls-files.ts'

onSqlite((engine) => {
  it('SIGHUP has the certificates read again, a broken one changes nothing, and SIGTERM ends the server', async (t) => {
    const files = new TlsFiles()
    const database = await engine.create()
    t.after(async () => {
      files.remove()
      await database.drop()
    })
    const pair = files.write('server', testCertificate)
    const environment = await environmentOf(database)
    const tls = { COUNTERSIGN_TLS_CERT: pair.cert, COUNTERSIGN_TLS_KEY: pair.key }
    const child = spawnCountersign({ ...environment, ...tls }, ['serve'])
    let log = ''
    child.stderr?.on('data', (text) => {
      log += text
    })
    const logged = async (text: string) => {
      while (!log.includes(text)) await once(child.stderr ?? child, 'data')
      log = ''
    }
    await saysThatItRuns(child, () => log)
    const origin = `https://${environment.COUNTERSIGN_API_LISTEN}`
    assert.equal(await shownBy(origin), serialOf(testCertificate))

    files.rename(pair, testCertificates.renewed)
    child.kill('SIGHUP')
    await logged('the certificates were read again')
    assert.equal(await shownBy(origin), serialOf(testCertificates.renewed))

    writeFileSync(pair.cert, 'half a certific')
    child.kill('SIGHUP')
    await logged('"alarm":"certificate.unusable"')
    assert.equal(await shownBy(origin), serialOf(testCertificates.renewed))

    child.kill('SIGTERM')
    const [code] = await once(child, 'exit')
    assert.equal(code, 0)
  })
})
