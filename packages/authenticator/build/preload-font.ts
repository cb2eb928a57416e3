import type { Plugin } from 'vite'

/** Tells the browser of the one font file that every screen needs before it has read the style. */
export function preloadFont(): Plugin {
  return {
    name: 'countersign-preload-font',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_html, { bundle }) {
        const font = Object.keys(bundle ?? {}).find((file) =>
          /hyperlegible-next-latin-wght-normal-.*\.woff2$/.test(file),
        )
        if (!font) return []
        const attrs = { rel: 'preload', href: `/${font}`, as: 'font', type: 'font/woff2', crossorigin: '' }
        return [{ tag: 'link', attrs, injectTo: 'head' }]
      },
    },
  }
}
