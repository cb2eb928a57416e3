// node scripts/vectors.ts [--force]: writes docs/specs/vectors/*.json.
//
// ES256 signatures are different each time they are made, so the files are written once and from then on only
// verified, by packages/protocol/test. A file that exists is left alone unless --force is given.
import { existsSync, writeFileSync } from 'node:fs'
import { hostileVectors } from './vectors/hostile.ts'
import { messageVectors } from './vectors/messages.ts'
import { primitiveVectors } from './vectors/primitives.ts'
import { storageVectors } from './vectors/storage.ts'
import { world } from './vectors/world.ts'

const folder = new URL('../docs/specs/vectors/', import.meta.url)
const files: Record<string, object> = {
  world: await world(),
  ...(await primitiveVectors()),
  ...(await messageVectors()),
  hostile: await hostileVectors(),
  ...(await storageVectors()),
}

for (const [name, content] of Object.entries(files)) {
  const file = new URL(`${name}.json`, folder)
  if (existsSync(file) && !process.argv.includes('--force')) console.log(`kept  ${name}.json`)
  else {
    writeFileSync(file, `${asciiJson(content)}\n`)
    console.log(`wrote ${name}.json`)
  }
}

/** Escaped, so that no editor, diff or terminal shows deceptive characters as something else. */
function asciiJson(value: object): string {
  return JSON.stringify(value, null, 2).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
