import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader'
import { largeDigits } from '../src/large-digits.ts'

const wasm = createRequire(import.meta.url).resolve('zxing-wasm/reader/zxing_reader.wasm')
prepareZXingModule({ overrides: { wasmBinary: new Uint8Array(readFileSync(wasm)).buffer } })
const pixels = 4
const light = { '█': [1, 1], '▀': [1, 0], '▄': [0, 1], ' ': [0, 0] } as Record<string, number[]>

/** What a reader sees in the QR code that a command has drawn: the last part of its output, between empty lines. */
export async function readQrCode(output: string): Promise<string | undefined> {
  const lines = output.trimEnd().split('\n\n').at(-1)?.split('\n') ?? []
  const rows = lines.flatMap((line) => [0, 1].map((half) => [...line].map((block) => light[block]?.[half] ?? 0)))
  const [width, height] = [(rows[0]?.length ?? 0) * pixels, rows.length * pixels]
  const data = new Uint8ClampedArray(width * height * 4).map((_, index) => {
    const [x, y] = [Math.floor(index / 4) % width, Math.floor(index / 4 / width)]
    return index % 4 === 3 ? 255 : 255 * (rows[Math.floor(y / pixels)]?.[Math.floor(x / pixels)] ?? 0)
  })
  const [code, ...more] = await readBarcodes(
    { data, width, height, colorSpace: 'srgb' } as Parameters<typeof readBarcodes>[0],
    {
      formats: ['QRCode'],
    },
  )
  assert.equal(more.length, 0)
  return code?.text
}

/** The digits of a drawing, each by its likeness to one drawn alone. */
export function readDigits(drawn: string): string {
  const lines = drawn.split('\n')
  const count = ((lines[0]?.length ?? 0) + 2) / 8
  const likeness = (index: number) => lines.map((line) => line.slice(index * 8, index * 8 + 6)).join('\n')
  const known = Array.from({ length: 10 }, (_, digit) => largeDigits(String(digit)).join('\n'))
  assert.equal(new Set(known).size, 10)
  return Array.from({ length: count }, (_, index) => known.indexOf(likeness(index))).join('')
}
