// Lets Node.js load the model's *.svelte.ts: their types are erased, their runes compiled, as Vite does it.
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'
import { compileModule } from 'svelte/compiler'

registerHooks({
  load(url, context, next) {
    if (!url.endsWith('.svelte.ts')) return next(url, context)
    const filename = fileURLToPath(url)
    const script = stripTypeScriptTypes(readFileSync(filename, 'utf8'))
    const { js } = compileModule(script, { generate: 'client', filename })
    return { format: 'module', source: js.code, shortCircuit: true }
  },
})
