// npm run build: makes packages/authenticator/dist, which the server serves. `npm ci` runs it, too (--if-possible: an
// installation without the development packages goes on without).
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const places = [join(root, 'node_modules/vite'), join(root, '../../node_modules/vite')]

if (places.some((place) => existsSync(place))) {
  const { build } = await import('vite')
  await build({ root, logLevel: 'warn' })
} else {
  console.error('The authenticator was not built: the development packages are missing. Run: npm ci && npm run build')
  process.exitCode = process.argv.includes('--if-possible') ? 0 : 1
}
