import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

const compressible = /\.(html|js|css|svg|webmanifest|wasm)$/
const bytesMin = 512

/** Writes a .br and a .gz beside each file that they make smaller, and prints what a first visit loads. */
export function compress(): Plugin {
  let outDir = ''
  return {
    name: 'countersign-compress',
    apply: 'build',
    configResolved(config) {
      outDir = join(config.root, config.build.outDir)
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        const sizes = globSync('**/*.*', { cwd: outDir })
          .filter((file) => compressible.test(file))
          .map((file) => ({ file, gzip: compressFile(join(outDir, file)) }))
        console.log(`authenticator built: ${firstLoad(sizes)}`)
      },
    },
  }
}

function compressFile(path: string): number {
  const bytes = readFileSync(path)
  const gzip = gzipSync(bytes, { level: 9 })
  if (bytes.length < bytesMin) return gzip.length
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
  writeFileSync(`${path}.gz`, gzip)
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: quality }))
  return gzip.length
}

function firstLoad(sizes: { file: string; gzip: number }[]): string {
  const sum = (pattern: RegExp) =>
    sizes.filter(({ file }) => pattern.test(file)).reduce((total, { gzip }) => total + gzip, 0)
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`
  const [script, later] = [sum(/^assets\/index-.*\.js$/), sum(/^assets\/(?!index-).*\.(js|wasm)$/)]
  return `${kilobytes(script)} of script and ${kilobytes(sum(/\.css$/))} of style at first, ${kilobytes(later)} when needed (gzip)`
}
