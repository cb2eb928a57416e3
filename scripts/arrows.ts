// npm run check:arrows: who may import whom, as docs/architecture.md draws it. Reads every import below packages/*/src.
import { globSync, readFileSync } from 'node:fs'
import { matchesGlob, posix } from 'node:path'
import ts from 'typescript'

type Row = {
  /** Areas that may be imported, besides the own one. */
  may: string[]
  /** Areas of which types may be imported. */
  types?: string[]
  /** What may come from outside the repository: anything by default, 'portable' is what a browser could load too. */
  outside?: 'nothing' | 'portable'
}
type Import = { specifier: string; typeOnly: boolean; line: number }

// An area is a package, or a file or folder of the server. The first row that matches counts.
const table: Record<string, Row> = {
  protocol: { may: [], outside: 'nothing' },
  sdk: { may: ['protocol'], outside: 'portable' },
  cli: { may: ['protocol', 'sdk', 'server/main.ts'] },
  panel: { may: ['protocol', 'sdk'], outside: 'portable' },
  authenticator: { may: ['protocol'], outside: 'portable' },
  'server/main.ts': { may: ['protocol', 'server/**'] },
  'server/app.ts': { may: ['protocol'], types: ['server/**'] },
  'server/*.ts': { may: ['protocol', 'server/*.ts'] },
  'server/core': { may: ['protocol', 'server/app.ts'], types: ['server/storage'] },
  'server/storage': { may: ['protocol', 'server/storage/engines'] },
  'server/storage/engines': { may: ['protocol', 'server/storage'] },
  'server/delivery': { may: ['protocol'] },
  // Every other folder of the server is a front.
  'server/*': { may: ['protocol', 'server/app.ts', 'server/core'] },
}

// Packages with one home: nobody else imports them, not even their types.
const homes: { packages: string[]; home: string[] }[] = [
  { packages: ['pg', 'pg-*', 'node:sqlite'], home: ['server/storage/engines'] },
  { packages: ['kysely'], home: ['server/storage', 'server/storage/engines'] },
  { packages: ['fastify', '@fastify/*'], home: ['server/http'] },
  { packages: ['prom-client'], home: ['server/metrics.ts'] },
  { packages: ['smol-toml'], home: ['server/config-file.ts'] },
  { packages: ['@simplewebauthn/server'], home: ['server/core'] },
]

// The check checks itself first: [file, code, is refused].
const examples: [file: string, code: string, refused: boolean][] = [
  ['packages/protocol/src/a.ts', `import { b } from './b.ts'`, false],
  ['packages/protocol/src/a.ts', `import { createHash } from 'node:crypto'`, true],
  ['packages/protocol/src/a.ts', `import type { JWK } from 'jose'`, true],
  ['packages/protocol/src/a.ts', `export type A = import('@countersign/sdk/a.ts').A`, true],
  ['packages/sdk/src/a.ts', `export * from '@countersign/protocol/errors.ts'`, false],
  ['packages/sdk/src/a.ts', `export * from '@countersign/server/config.ts'`, true],
  ['packages/sdk/src/a.ts', `import '../../protocol/src/errors.ts'`, true],
  ['packages/sdk/src/a.ts', `const fs = await import('node:fs')`, true],
  ['packages/cli/src/serve.ts', `import { serve } from '@countersign/server/main.ts'`, false],
  ['packages/cli/src/users.ts', `import { createUser } from '@countersign/server/core/users.ts'`, true],
  ['packages/authenticator/src/keys.ts', `import { Client } from '@countersign/sdk/client.ts'`, true],
  ['packages/panel/src/users/List.svelte', `<script lang="ts">\nimport '@countersign/server/app.ts'\n</script>`, true],
  ['packages/server/src/main.ts', `import { listen } from './radius/server.ts'`, false],
  ['packages/server/src/app.ts', `import type { Storage } from './storage/storage.ts'`, false],
  ['packages/server/src/app.ts', `import { Storage } from './storage/storage.ts'`, true],
  ['packages/server/src/metrics.ts', `import { Counter } from 'prom-client'`, false],
  ['packages/server/src/core/users.ts', `import { Counter } from 'prom-client'`, true],
  ['packages/server/src/config.ts', `import { totp } from './core/tokens.ts'`, true],
  ['packages/server/src/core/users.ts', `import type { UserRow } from '../storage/users.ts'`, false],
  ['packages/server/src/core/users.ts', `import { type UserRow } from '../storage/users.ts'`, true],
  ['packages/server/src/core/users.ts', `import { findUser } from '../storage/users.ts'`, true],
  ['packages/server/src/core/users.ts', `import type { FastifyRequest } from 'fastify'`, true],
  ['packages/server/src/core/users.ts', `import { sql } from 'kysely'`, true],
  ['packages/server/src/core/users.ts', `import { reply } from '../http/errors.ts'`, true],
  ['packages/server/src/storage/users.ts', `import { sql } from 'kysely'`, false],
  ['packages/server/src/storage/users.ts', `import { Pool } from 'pg'`, true],
  ['packages/server/src/storage/users.ts', `import { ApiError } from '../core/errors.ts'`, true],
  ['packages/server/src/storage/engines/sqlite.ts', `import { DatabaseSync } from 'node:sqlite'`, false],
  ['packages/server/src/storage/migrations/0001-start.ts', `import { Migrator } from 'kysely/migration'`, false],
  ['packages/server/src/http/api/users.ts', `import { createUser } from '../../core/users.ts'`, false],
  ['packages/server/src/http/api/users.ts', `import type { UserRow } from '../../storage/users.ts'`, true],
  ['packages/server/src/http/server.ts', `import fastify from 'fastify'`, false],
  ['packages/server/src/radius/server.ts', `import { actorOf } from '../http/authenticate.ts'`, true],
  ['packages/server/src/radius/server.ts', `import type { FastifyRequest } from 'fastify'`, true],
  ['packages/server/src/ldap/server.ts', `import { actorOf } from '../radius/server.ts'`, true],
  ['packages/server/src/delivery/email.ts', `import { audit } from '../core/audit.ts'`, true],
]

const blind = examples.filter(([file, code, refused]) => violations(file, code).length > 0 !== refused)
for (const [file, code, refused] of blind)
  console.error(`${file}: ${code}\n  should be ${refused ? 'refused' : 'allowed'}`)

const files = globSync('packages/*/src/**/*.{ts,svelte}').sort()
const found = files.flatMap((file) => violations(file, readFileSync(file, 'utf8')))
for (const violation of found) console.error(violation)

if (blind.length + found.length > 0) process.exit(1)
console.log(`Checked the imports of ${files.length} files against ${Object.keys(table).length} rules.`)

function violations(file: string, code: string): string[] {
  return importsOf(file, code).flatMap((found) => {
    const reason =
      found.specifier.startsWith('.') || found.specifier.startsWith('@countersign/')
        ? refuseInside(file, found)
        : refuseOutside(file, found.specifier)
    return reason ? [`${file}:${found.line} imports ${found.specifier}: ${reason}`] : []
  })
}

function refuseInside(file: string, { specifier, typeOnly }: Import): string | undefined {
  const target = specifier.startsWith('.')
    ? posix.join(posix.dirname(file), specifier)
    : specifier.replace(/^@countersign\/([^/]+)\//, 'packages/$1/src/')
  if (packageOf(file) !== packageOf(target)) {
    if (specifier.startsWith('.')) return 'another package is imported by its name'
  } else if (!target.includes('/src/')) return // its own package.json, for one
  const [from, to] = [areaOf(file), areaOf(target)]
  const { may, types = [] } = rowOf(from)
  if (from === to || may.some((area) => matchesGlob(to, area))) return
  if (!types.some((area) => matchesGlob(to, area))) return `${from} may not import ${to}`
  if (!typeOnly) return `${from} may import types of ${to} only (import type)`
}

function refuseOutside(file: string, specifier: string): string | undefined {
  const from = areaOf(file)
  const { outside } = rowOf(from)
  if (outside === 'nothing') return `${from} imports nothing`
  if (outside === 'portable' && specifier.startsWith('node:')) return `${from} runs without Node.js`
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  const owner = homes.find(({ packages }) => packages.some((pattern) => matchesGlob(name, pattern)))
  if (owner && !owner.home.includes(from)) return `only ${owner.home.join(' and ')} may`
}

/** packages/server/src/core/users.ts is in server/core, packages/server/src/app.ts is server/app.ts, the rest is its package. */
function areaOf(path: string): string {
  const [, name = '', , ...rest] = path.split('/')
  if (name !== 'server') return name
  if (rest[0] === 'storage' && rest[1] === 'engines' && rest.length > 2) return 'server/storage/engines'
  return `server/${rest[0]}`
}

function packageOf(path: string): string | undefined {
  return path.split('/')[1]
}

function rowOf(area: string): Row {
  const row = table[area] ?? Object.entries(table).find(([pattern]) => matchesGlob(area, pattern))?.[1]
  if (!row) throw new Error(`packages/${area} has no row in the table of scripts/arrows.ts`)
  return row
}

function importsOf(file: string, code: string): Import[] {
  const script = file.endsWith('.svelte') ? scriptsOf(code) : code
  const source = ts.createSourceFile(file, script, ts.ScriptTarget.Latest, true)
  const imports: Import[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier && ts.isStringLiteralLike(specifier)) {
      const line = source.getLineAndCharacterOfPosition(specifier.getStart()).line + 1
      imports.push({ specifier: specifier.text, typeOnly: isTypeOnly(node), line })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return imports
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) return node.arguments[0]
}

// `import { type X }` still loads the module: only `import type` vanishes.
function isTypeOnly(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  return ts.isImportTypeNode(node)
}

/** The script blocks, on the lines where they stand. */
function scriptsOf(code: string): string {
  const blocks = code.split(/(<script[^>]*>.*?<\/script>)/s)
  const isScript = (block: string) => block.startsWith('<script')
  return blocks
    .map((block) => (isScript(block) ? block.replace(/^<script[^>]*>|<\/script>$/g, '') : block.replace(/[^\n]/g, '')))
    .join('')
}
