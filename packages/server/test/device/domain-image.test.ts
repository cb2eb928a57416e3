// GET /device/v1/domains/{id}/image: the picture on the request screen, from the device's own origin.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { PNG } from 'pngjs'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

onEveryEngine((engine) => {
  let server: TestServer
  before(async () => {
    server = await startTestServer(engine)
  })
  after(() => server.stop())

  const unknown = '0123456789abcdef0123456789abcdef01234567'
  const get = async (id: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${server.deviceUrl}/device/v1/domains/${id}/image`, { headers })
    const { status } = response
    return { status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
  }
  const put = (id: string, png: Buffer, key = server.acme.apiKey) =>
    fetch(`${server.apiUrl}/admin/v1/domains/${id}/image`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'image/png' },
      body: new Uint8Array(png),
    })
  const picture = (grey: number) => {
    const png = new PNG({ width: 8, height: 8 })
    png.data.fill(grey)
    return PNG.sync.write(png)
  }

  it('is the domain’s picture, whichever organization has it, and another one at once when it was changed', async () => {
    const [id, foreign] = [await newDomain(server, {}), server.other.domainId]
    assert.equal((await put(id, picture(90))).status, 204)
    assert.equal((await put(foreign, picture(120), server.other.apiKey)).status, 204)
    const [own, others] = [await get(id), await get(foreign)]
    assert.deepEqual([own.status, own.headers.get('content-type')], [200, 'image/png'])
    assert.deepEqual([PNG.sync.read(own.bytes).data[0], PNG.sync.read(others.bytes).data[0]], [90, 120])
    const etag = own.headers.get('etag') ?? ''
    assert.equal(own.headers.get('cache-control'), 'no-cache')
    assert.deepEqual([(await get(id, { 'if-none-match': etag })).status], [304])
    assert.equal((await put(id, picture(60))).status, 204)
    assert.equal(PNG.sync.read((await get(id, { 'if-none-match': etag })).bytes).data[0], 60)
  })

  it('is the built-in one for a domain without a picture, for an unknown one and for what is no id', async () => {
    const builtIn = await get(await newDomain(server, {}))
    for (const id of [unknown, 'nonsense', '%27%20or%201=1', '%00']) {
      const other = await get(id)
      assert.deepEqual([other.status, other.headers.get('etag')], [200, builtIn.headers.get('etag')], id)
      assert.deepEqual(other.bytes, builtIn.bytes)
    }
  })

  it('is read only, and under the headers of the device’s origin', async () => {
    const { headers } = await get(unknown)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    const path = `${server.deviceUrl}/device/v1/domains/${unknown}/image`
    assert.equal((await fetch(path, { method: 'POST', body: '{}' })).status, 405)
  })
})
