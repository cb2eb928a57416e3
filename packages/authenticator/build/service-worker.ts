import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'vite'

/** Not fetched before they are needed: what reads QR codes where the browser cannot, and large pictures for the system. */
const notAhead = /\.wasm$|reader-|-512\.png$|\.map$/

/**
 * Builds src/sw.ts to /sw.js, a classic script with the list of files that it keeps. Its version is a hash of them, so that it
 * changes exactly when one of them does.
 */
export function serviceWorker(): Plugin {
  let root = ''
  let outDir = ''
  return {
    name: 'countersign-service-worker',
    apply: 'build',
    configResolved(config) {
      root = config.root
      outDir = join(config.root, config.build.outDir)
    },
    closeBundle: {
      order: 'pre',
      sequential: true,
      async handler() {
        const files = globSync('**/*.*', { cwd: outDir })
          .map((file) => file.replaceAll('\\', '/'))
          .filter((file) => !notAhead.test(file) && file !== 'index.html')
          .sort()
        const hash = createHash('sha256')
        for (const file of ['index.html', ...files]) hash.update(file).update(readFileSync(join(outDir, file)))
        await build({
          root,
          configFile: false,
          logLevel: 'warn',
          publicDir: false,
          define: {
            __FILES__: JSON.stringify(['/', ...files.map((file) => `/${file}`)]),
            __VERSION__: JSON.stringify(hash.digest('hex').slice(0, 16)),
          },
          build: {
            outDir,
            emptyOutDir: false,
            target: 'es2022',
            rolldownOptions: {
              input: join(root, 'src/sw.ts'),
              output: { format: 'iife', entryFileNames: 'sw.js' },
            },
          },
        })
      },
    },
  }
}
