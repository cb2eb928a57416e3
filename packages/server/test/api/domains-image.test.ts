import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { crc32, deflateSync } from 'node:zlib'
import { PNG } from 'pngjs'
import type { Actor } from '../../src/core/actors.ts'
import { removeDomainImage, setDomainImage } from '../../src/core/domain-images.ts'
import { operatorOf } from '../../src/main.ts'
import { auditOf } from '../support/audit.ts'
import { onEveryEngine } from '../support/engines.ts'
import { newDomain } from '../support/phones.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { dump } from '../support/sql.ts'

const unknownId = '0123456789abcdef0123456789abcdef01234567'

/** Pixels that differ from one another, some of them half transparent. */
function picture(width = 24, height = 16): PNG {
  const png = new PNG({ width, height })
  for (const index of png.data.keys()) png.data[index] = (index * 31) % 256
  return png
}

function chunk(type: string, data: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type), data])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, checksum])
}

interface Header {
  width?: number
  height?: number
  depth?: number
  colour?: number
  interlace?: number
}

/** 8 × 8 bytes of grey unless told otherwise. */
function header({ width = 8, height = 8, depth = 8, colour = 0, interlace = 0 }: Header = {}): Buffer {
  const data = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, depth, colour, 0, 0, interlace])
  data.writeUInt32BE(width, 0)
  data.writeUInt32BE(height, 4)
  return chunk('IHDR', data)
}

const start = Buffer.from('89504e470d0a1a0a', 'hex')
const end = chunk('IEND', Buffer.alloc(0))
const pixels = chunk('IDAT', deflateSync(Buffer.alloc(9 * 8)))
const bomb = chunk('IDAT', deflateSync(Buffer.alloc(250 * 1024 * 1024), { level: 9 }))

onEveryEngine((engine) => {
  let server: TestServer
  let operator: Actor
  before(async () => {
    server = await startTestServer(engine)
    operator = await operatorOf(server.app, server.acme.id)
  })
  after(() => server.stop())

  const get = (domainId: string, accept = '*/*') =>
    server.call('GET', `/api/domains/${domainId}/image`, { headers: { accept } })
  const set = (domainId: string, png: Uint8Array, actor = operator) =>
    setDomainImage(server.app, actor, { domainId, png })
  const remove = (domainId: string, actor = operator) => removeDomainImage(server.app, actor, { domainId })
  const changes = async (domainId: string) =>
    (await auditOf(server, { domain_id: domainId })).filter(({ event }) => event === 'domain.image_changed')

  it('a domain without a picture of its own has the built-in one, whatever the client accepts', async () => {
    const replies = ['*/*', 'image/png', 'application/vnd.logintc.v1+json', 'text/html']
    for (const accept of replies) {
      const { status, headers, body } = await get(server.acme.domainId, accept)
      assert.deepEqual([status, headers.get('content-type')], [200, 'image/png'])
      assert.equal(headers.get('content-length'), String(body.length))
      assert.match(headers.get('etag') ?? '', /^"[\w-]{43}"$/)
      const { width, height } = PNG.sync.read(body)
      assert.deepEqual([width, height], [192, 192])
    }
  })

  it('the pixels of an upload are what is read, in every colour type and depth', async () => {
    const palette = [chunk('PLTE', Buffer.from([9, 8, 7, 6, 5, 4])), chunk('tRNS', Buffer.from([3]))]
    const kinds: [colour: number, depth: number, pixel: number[], seen: number[], more?: Buffer[]][] = [
      [0, 1, [0x80], [255, 255, 255, 255]],
      [0, 8, [64], [64, 64, 64, 255]],
      [0, 16, [64, 64], [64, 64, 64, 255]],
      [2, 8, [1, 2, 3], [1, 2, 3, 255]],
      [3, 4, [0x00], [9, 8, 7, 3], palette],
      [3, 8, [1], [6, 5, 4, 255], palette],
      [4, 8, [5, 6], [5, 5, 5, 6]],
      [6, 8, [1, 2, 3, 4], [1, 2, 3, 4]],
      [6, 16, [1, 1, 2, 2, 3, 3, 4, 4], [1, 2, 3, 4]],
    ]
    const domainId = await newDomain(server, {})
    for (const [colour, depth, pixel, seen, more = []] of kinds) {
      const data = chunk('IDAT', deflateSync(Buffer.from([0, ...pixel])))
      await set(domainId, Buffer.concat([start, header({ width: 1, height: 1, colour, depth }), ...more, data, end]))
      assert.deepEqual([...PNG.sync.read((await get(domainId)).body).data], seen, `${colour}/${depth}`)
    }
    for (const [width, height] of [
      [3, 5],
      [64, 1],
      [1, 64],
      [333, 77],
    ] as const) {
      await set(domainId, PNG.sync.write(picture(width, height)))
      const { body } = await get(domainId)
      const read = PNG.sync.read(body)
      assert.deepEqual([read.width, read.height, read.data], [width, height, picture(width, height).data])
    }
  })

  it('nothing of an upload but its pixels is kept: no text and no gamma', async () => {
    const domainId = await newDomain(server, {})
    const plain = PNG.sync.write(picture())
    const more = [chunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f])), chunk('tEXt', Buffer.from('Comment\0CANARY'))]
    const upload = [plain.subarray(0, 33), ...more, plain.subarray(33)]
    await set(domainId, Buffer.concat(upload))
    const { body } = await get(domainId)
    assert.deepEqual(body, plain)
    assert.doesNotMatch(JSON.stringify(await dump(server.database)), /CANARY|Q0FOQVJ/)
  })

  it('another picture has another tag, the same one is no change, and taking it away brings the built-in one back', async () => {
    const domainId = await newDomain(server, {})
    const { headers: builtIn } = await get(domainId)
    const tags: (string | null)[] = []
    for (const size of [1, 2, 2, 512]) {
      await set(domainId, PNG.sync.write(new PNG({ width: size, height: size })))
      tags.push((await get(domainId)).headers.get('etag'))
    }
    assert.equal(tags[1], tags[2])
    assert.equal(new Set([...tags, builtIn.get('etag')]).size, 4)
    await remove(domainId)
    await remove(domainId)
    assert.equal((await get(domainId)).headers.get('etag'), builtIn.get('etag'))
    const hashes = [tags[0], tags[1], tags[3]].map((tag) => ({ hash: tag?.slice(1, -1) }))
    const data = (await changes(domainId)).map((event) => event.data)
    assert.equal(data.length, 4)
    for (const expected of [...hashes, { removed: true }]) {
      assert.ok(data.some((found) => JSON.stringify(found) === JSON.stringify(expected)))
    }
    assert.notEqual((await get(server.acme.domainId)).headers.get('etag'), tags[3])
  })

  it('what is no PNG, or a larger one than is accepted, is refused by the field’s name and changes nothing', async () => {
    const domainId = await newDomain(server, {})
    await set(domainId, PNG.sync.write(picture()))
    const good = Buffer.concat([start, header(), pixels, end])
    const damaged = /^image: It is damaged, or not a PNG\.$/
    const uploads: [Uint8Array, RegExp][] = [
      [Buffer.alloc(0), damaged],
      [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), damaged],
      [Buffer.from([0xff, 0xd8, 0xff, 0xe0]), damaged],
      [start, damaged],
      [Buffer.concat([start, pixels, header(), end]), damaged],
      [Buffer.concat([start, chunk('IHDR', Buffer.alloc(12)), pixels, end]), damaged],
      [Buffer.concat([start, header(), end]), damaged],
      [Buffer.concat([start, header(), chunk('IDAT', deflateSync(Buffer.alloc(9 * 7))), end]), damaged],
      [Buffer.concat([start, header(), chunk('IDAT', Buffer.from('no zlib')), end]), damaged],
      [Buffer.concat([start, header(), chunk('IDAT', deflateSync(Buffer.alloc(9 * 9))), end]), damaged],
      [Buffer.concat([start, header({ colour: 1 }), pixels, end]), damaged],
      [Buffer.concat([start, header({ colour: 3 }), pixels, end]), damaged],
      [Buffer.concat([good, Buffer.from('<script>')]), damaged],
      [good.subarray(0, -20), damaged],
      [good.map((byte, index) => (index === 45 ? byte ^ 1 : byte)), damaged],
      [Buffer.concat([good, Buffer.alloc(256 * 1024)]), /^image: It has more than 256 KiB\.$/],
      [
        Buffer.concat([start, header({ width: 0 }), pixels, end]),
        /^image: It has 0 × 8 pixels; each side has 1 to 512/,
      ],
      [PNG.sync.write(new PNG({ width: 513, height: 1 })), /^image: It has 513 × 1 pixels/],
      [PNG.sync.write(new PNG({ width: 1, height: 513 })), /^image: It has 1 × 513 pixels/],
    ]
    const { text: before } = await get(domainId)
    await set(domainId, good) // what the others are made of is all right
    await set(domainId, PNG.sync.write(picture()))
    for (const [index, [upload, message]] of uploads.entries()) {
      await assert.rejects(set(domainId, upload), { code: 'api.error.badrequest', message }, `upload ${index}`)
    }
    assert.equal((await get(domainId)).text, before)
    assert.equal((await changes(domainId)).length, 3)
  })

  it('no upload is inflated beyond what an accepted picture has', async () => {
    const domainId = await newDomain(server, {})
    const bombs: [Buffer[], RegExp][] = [
      [[header({ width: 65_535, height: 65_535 }), bomb], /65535 × 65535 pixels/],
      [[header({ width: 512, height: 512, interlace: 1 }), bomb], /interlaced/],
      [[header(), header({ width: 60_000, height: 60_000 }), bomb], /two headers/],
      [[header(), chunk('tEXt', Buffer.from('a')), bomb, header({ interlace: 1 })], /two headers/],
      [[header({ width: 512, height: 512 }), bomb], /damaged/],
    ]
    const before = process.resourceUsage().maxRSS
    for (const [chunks, message] of bombs) {
      await assert.rejects(set(domainId, Buffer.concat([start, ...chunks, end])), { message })
    }
    const grownKib = process.resourceUsage().maxRSS - before
    assert.ok(grownKib < 64 * 1024, `${grownKib} KiB`)
  })

  it('only who may change the domain changes its picture, and mallory not acme’s', async () => {
    const { domainId } = server.acme
    const png = PNG.sync.write(picture())
    const key: Actor = { kind: 'api-key', organizationId: server.acme.id, id: '', scope: 'enroll' }
    const mallory = await operatorOf(server.app, server.other.id)
    await assert.rejects(set(domainId, png, key), { code: 'api.error.forbidden' })
    const noSuchDomain = { code: 'api.error.notfound.domain', message: 'There is no such domain.' }
    await assert.rejects(set(domainId, png, mallory), noSuchDomain)
    await assert.rejects(set(unknownId, png), noSuchDomain)
    await assert.rejects(remove(domainId, mallory), noSuchDomain)
    await assert.rejects(remove(unknownId), noSuchDomain)
    await assert.rejects(remove(domainId, key), { code: 'api.error.forbidden' })
    assert.deepEqual(await changes(domainId), [])
  })
})
