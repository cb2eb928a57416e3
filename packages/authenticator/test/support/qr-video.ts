import { writeFileSync } from 'node:fs'
import { encode } from 'uqr'

const sidePx = 480

/** Writes what a camera sees that is held before a QR code: a film of one picture, for Chromium's fake camera. */
export function filmQr(text: string, path: string): void {
  const { data, size } = encode(text, { ecc: 'M', border: 4 })
  const modulePx = Math.floor(sidePx / size)
  const light = Buffer.alloc(sidePx * sidePx, 235)
  data.forEach((row, y) => {
    row.forEach((dark, x) => {
      if (dark) blacken(light, x * modulePx, y * modulePx, modulePx)
    })
  })
  const colour = Buffer.alloc((sidePx * sidePx) / 2, 128) // two planes of a quarter each: gray
  const head = Buffer.from(`YUV4MPEG2 W${sidePx} H${sidePx} F10:1 Ip A1:1 C420jpeg\n`)
  const frame = Buffer.concat([Buffer.from('FRAME\n'), light, colour])
  writeFileSync(path, Buffer.concat([head, frame, frame]))
}

function blacken(light: Buffer, left: number, top: number, side: number): void {
  for (let y = top; y < top + side; y++) light.fill(16, y * sidePx + left, y * sidePx + left + side)
}
