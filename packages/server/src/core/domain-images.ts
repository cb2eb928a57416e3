import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { inflateSync } from 'node:zlib'
import { PNG } from 'pngjs'
import type { App } from '../app.ts'
import { type Actor, requirePermission } from './actors.ts'
import { findDomain, noSuchDomain } from './domains.ts'
import { type ApiError, badRequest } from './errors.ts'
import { available, refuse, transact } from './transactions.ts'

/** The picture that users know a domain by. */
export interface DomainImage {
  png: Uint8Array
  /** SHA-256 of the bytes, base64url */
  hash: string
}

const uploadBytesMax = 256 * 1024
/** Decoding and encoding hold the event loop up: 512 × 512 pixels take less than a tenth of a second. */
const sideMax = 512
const builtIn = imageOf(readFileSync(new URL('./default-domain-image.png', import.meta.url)))

/** The domain's own picture, or the built-in one. */
export async function getDomainImage(app: App, actor: Actor, input: { domainId: string }): Promise<DomainImage> {
  requirePermission(actor, 'domains:read', input.domainId)
  const domain = await findDomain(app, actor, input.domainId)
  const row = await available(app, () => app.storage.domainImages.find(actor.organizationId, domain.id))
  return row ? { png: Buffer.from(row.png, 'base64'), hash: row.hash } : builtIn
}

/**
 * The same for anybody who knows the domain's id, 160 random bits that its phones were told: the picture is what the domain
 * shows of itself. An unknown domain has the built-in one, so nobody learns whether it exists.
 */
export async function showDomainImage(app: App, { domainId }: { domainId: string }): Promise<DomainImage> {
  if (!/^[0-9a-f]{40}$/.test(domainId)) return builtIn
  const row = await available(app, () => app.storage.domainImages.findByDomain(domainId))
  return row ? { png: Buffer.from(row.png, 'base64'), hash: row.hash } : builtIn
}

/**
 * Gives the domain a picture, which is drawn anew: nothing of the upload but its pixels is kept. `api.error.badrequest` when
 * it is no PNG, or a larger one than is accepted. The picture it has already is not a change.
 */
export async function setDomainImage(
  app: App,
  actor: Actor,
  input: { domainId: string; png: Uint8Array },
): Promise<void> {
  requirePermission(actor, 'domains:write', input.domainId)
  const { organizationId } = actor
  const { domainId } = input
  await findDomain(app, actor, domainId)
  const { png, hash } = imageOf(redraw(input.png))
  const row = { organization_id: organizationId, domain_id: domainId, png: png.toString('base64'), hash }
  await transact(app, async ({ tx, audit }) => {
    if (!(await tx.domains.lock(organizationId, domainId))) return refuse(noSuchDomain())
    if ((await tx.domainImages.find(organizationId, domainId))?.hash === hash) return
    await tx.domainImages.put({ ...row, updated_at: app.now() })
    audit({ organizationId, event: 'domain.image_changed', actor, domainId, data: { hash } })
  })
}

/** Gives the domain the built-in picture again; it may have it already. */
export async function removeDomainImage(app: App, actor: Actor, input: { domainId: string }): Promise<void> {
  requirePermission(actor, 'domains:write', input.domainId)
  const { organizationId } = actor
  const { domainId } = input
  await transact(app, async ({ tx, audit }) => {
    if (!(await tx.domains.lock(organizationId, domainId))) return refuse(noSuchDomain())
    const removed = await tx.domainImages.delete(organizationId, domainId)
    if (removed) audit({ organizationId, event: 'domain.image_changed', actor, domainId, data: { removed } })
  })
}

function imageOf(png: Buffer): { png: Buffer; hash: string } {
  return { png, hash: createHash('sha256').update(png).digest('base64url') }
}

/** The same pixels in a PNG of our own making. */
function redraw(bytes: Uint8Array): Buffer {
  if (bytes.length > uploadBytesMax) throw unfit(`It has more than ${uploadBytesMax / 1024} KiB.`)
  const upload = Buffer.from(bytes)
  const chunks = chunksOf(upload)
  checkPixels(readHeader(chunks), chunks)
  const { width, height, data } = decode(() => PNG.sync.read(upload))
  // What the file said of its gamma stays behind like everything else about it.
  return PNG.sync.write(Object.assign(new PNG({ width, height }), { data, gamma: 0 }))
}

const signature = Buffer.from('89504e470d0a1a0a', 'hex')
const headerBytes = 13
/** by colour type: grey, RGB, palette, grey and alpha, RGB and alpha */
const channels: Partial<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

interface Chunk {
  type: string
  data: Buffer
}

/** The pieces that a PNG file is made of, as far as it is one. */
function chunksOf(upload: Buffer): Chunk[] {
  const chunks: Chunk[] = []
  if (!upload.subarray(0, signature.length).equals(signature)) return chunks
  // Length, type, data and checksum, which pngjs verifies.
  for (let at = signature.length; at + 12 <= upload.length; ) {
    const end = at + 8 + upload.readUInt32BE(at)
    chunks.push({ type: upload.toString('latin1', at + 4, at + 8), data: upload.subarray(at + 8, end) })
    at = end + 4
  }
  return chunks
}

/** The header, before anything is inflated. pngjs knows no limit for interlaced pictures, and of two headers believes the later. */
function readHeader([first, ...others]: Chunk[]): Buffer {
  if (first?.type !== 'IHDR' || first.data.length !== headerBytes) throw damaged()
  if (others.some(({ type }) => type === 'IHDR')) throw unfit('It has two headers.')
  const { data } = first
  const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)]
  if (width < 1 || height < 1 || width > sideMax || height > sideMax)
    throw unfit(`It has ${width} × ${height} pixels; each side has 1 to ${sideMax}.`)
  if (data[12] !== 0) throw unfit('It is interlaced, which is not supported: save it without.')
  return data
}

/**
 * Throws unless there are as many bytes of pixels as the header announces. pngjs 7 misreads the state of Node's zlib: where
 * some are missing it shows what the process had in its memory in their place.
 */
function checkPixels(header: Buffer, chunks: Chunk[]): void {
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  const bitsPerPixel = header.readUInt8(8) * (channels[header.readUInt8(9)] ?? 0)
  const expected = (Math.ceil((width * bitsPerPixel) / 8) + 1) * height
  const deflated = Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data))
  if (decode(() => inflateSync(deflated, { maxOutputLength: expected })).length !== expected) throw damaged()
}

function decode<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw damaged(cause)
  }
}

function damaged(cause?: unknown): ApiError {
  return unfit('It is damaged, or not a PNG.', cause)
}

function unfit(problem: string, cause?: unknown): ApiError {
  return badRequest('image', problem, cause)
}
