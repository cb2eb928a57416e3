import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'
import { compress } from './build/compress.ts'
import { preloadFont } from './build/preload-font.ts'
import { serviceWorker } from './build/service-worker.ts'
import packageJson from './package.json' with { type: 'json' }

export default defineConfig({
  plugins: [svelte(), preloadFont(), serviceWorker(), compress()],
  define: { __APP_VERSION__: JSON.stringify(packageJson.version) },
  build: {
    target: 'es2022',
    // Content-Security-Policy: nothing inline, and images alone may be data.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { checks: { bundlerTimings: false, pluginTimings: false } },
  },
  // npx vite, beside a server with COUNTERSIGN_DEVICE_URL=http://localhost:5173
  server: { proxy: { '/device': process.env.COUNTERSIGN_DEVICE ?? 'http://127.0.0.1:8081' } },
})
