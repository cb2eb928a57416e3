/** From package.json, put in by vite.config.ts. */
declare const __APP_VERSION__: string
/** What the service worker keeps, and a hash of it; put in by build/service-worker.ts. */
declare const __FILES__: string[]
declare const __VERSION__: string
