import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { PNG } from 'pngjs'
import { newApiKey } from '../support/api-keys.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const path = (domainId: string) => `/admin/v1/domains/${domainId}/image`
  const shown = async (domainId: string): Promise<Buffer> =>
    (await server.call('GET', `/api/domains/${domainId}/image`)).body
  const put = async (domainId: string, body: Uint8Array<ArrayBuffer>, key = server.acme.apiKey) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'image/png' }
    const response = await fetch(server.apiUrl + path(domainId), { method: 'PUT', headers, body })
    return { status: response.status, text: await response.text() }
  }
  // With bytes that are no text in any encoding.
  const picture = (() => {
    const png = new PNG({ width: 24, height: 16 })
    for (const index of png.data.keys()) png.data[index] = (index * 31) % 256
    return { pixels: png.data, file: new Uint8Array(PNG.sync.write(png)) }
  })()

  it('a picture arrives byte for byte, and is taken away again', async () => {
    const id = await newDomain(server, {})
    const builtIn = await shown(id)
    assert.deepEqual(await put(id, picture.file), { status: 204, text: '' })
    assert.deepEqual(PNG.sync.read(await shown(id)).data, picture.pixels)
    assert.equal((await put(id, picture.file)).status, 204)
    for (const _ of ['once', 'twice']) assert.equal((await server.call('DELETE', path(id))).status, 204)
    assert.deepEqual(await shown(id), builtIn)
    assert.equal((await auditOf(server, { domain_id: id, event: 'domain.image_changed' })).length, 2)
  })

  it('what is no such picture is refused, and the one that is there stays', async () => {
    const id = await newDomain(server, {})
    await put(id, picture.file)
    const before = await shown(id)
    for (const wrong of [
      new Uint8Array(),
      new TextEncoder().encode('{}'),
      picture.file.subarray(0, 60),
      new Uint8Array(256 * 1024 + 1),
    ]) {
      const reply = await put(id, wrong)
      assert.equal(reply.status, 400)
      assert.match(JSON.parse(reply.text).errors[0].message, /^image: /)
    }
    assert.equal((await put(id, new Uint8Array(1024 * 1024 + 1))).status, 413)
    assert.deepEqual(await shown(id), before)
  })

  it('only who may change domains of this organization changes their pictures', async () => {
    const { domainId } = server.acme
    const before = await shown(domainId)
    assert.equal((await put(domainId, picture.file, await newApiKey(server, 'enroll'))).status, 403)
    assert.equal((await put(domainId, picture.file, server.other.apiKey)).status, 404)
    assert.equal((await server.call('DELETE', path(domainId), { key: server.other.apiKey })).status, 404)
    assert.deepEqual(await shown(domainId), before)
  })
})
