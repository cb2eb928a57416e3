// npm run build:sdk: packages/sdk as a package that any project can install, in packages/sdk/dist.
//
//   npm run build:sdk                    then, in packages/sdk/dist: npm pack
//   npm run build:sdk -- --out DIRECTORY into an empty directory instead
//
// Node.js strips no types under node_modules, so what ships is JavaScript with declarations. @countersign/protocol is not
// published: the modules that the SDK imports from it ship inside, in protocol/. The compiler is given the types of the web
// platform only; what needs more than every runtime has does not build.
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import ts from 'typescript'

/** The package's entry points, each a module of packages/sdk/src. */
const entries = { '.': 'rest', './device': 'device', './management': 'management' }
// AbortSignal.any is what an older Node.js lacks.
const engines = { node: '>=20.3' }

const root = join(import.meta.dirname, '..')
const sdk = join(root, 'packages/sdk')
const { values } = parseArgs({ options: { out: { type: 'string' } } })
const out = emptyDirectory(values.out)
const stage = mkdtempSync(join(tmpdir(), 'countersign-sdk-'))
try {
  copySources(join(sdk, 'src'), stage)
  copySources(join(root, 'packages/protocol/src'), join(stage, 'protocol'))
  writeJson(join(stage, 'package.json'), { type: 'module' })
  compile(Object.values(entries).map((name) => join(stage, `${name}.ts`)))
} finally {
  rmSync(stage, { recursive: true })
}
writeJson(join(out, 'package.json'), manifest())
copyFileSync(join(sdk, 'README.md'), join(out, 'README.md'))
copyFileSync(join(root, 'LICENSE'), join(out, 'LICENSE'))
console.log(`Built ${out}`)

/** The own dist is emptied; a directory that somebody names must be empty, since it may be anything. */
function emptyDirectory(named: string | undefined): string {
  const directory = named === undefined ? join(sdk, 'dist') : resolve(named)
  if (named === undefined) rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  if (readdirSync(directory).length > 0) fail(`${directory} is not empty.`)
  return directory
}

/** The modules of a package, as files that import each other by relative paths only. */
function copySources(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const file of globSync(join(from, '*.ts'))) {
    const code = readFileSync(file, 'utf8').replaceAll("'@countersign/protocol/", "'./protocol/")
    writeFileSync(join(to, basename(file)), code)
  }
}

function compile(rootNames: string[]): void {
  const host = ts.createCompilerHost(compilerOptions())
  const program = ts.createProgram(rootNames, compilerOptions(), host)
  const { diagnostics } = program.emit()
  const all = [...ts.getPreEmitDiagnostics(program), ...diagnostics]
  if (all.length > 0) fail(ts.formatDiagnostics(all, host))
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  return {
    ...options,
    noEmit: false,
    declaration: true,
    rewriteRelativeImportExtensions: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2024.d.ts', 'lib.dom.d.ts'],
    types: [],
    rootDir: stage,
    outDir: out,
  }
}

function manifest(): object {
  const { name, version, description, license } = JSON.parse(readFileSync(join(sdk, 'package.json'), 'utf8'))
  const conditions = (entry: string) => ({ types: `./${entry}.d.ts`, default: `./${entry}.js` })
  const exports = Object.fromEntries(Object.entries(entries).map(([path, entry]) => [path, conditions(entry)]))
  return { name, version, description, license, type: 'module', exports, sideEffects: false, engines }
}

function writeJson(file: string, value: object): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
