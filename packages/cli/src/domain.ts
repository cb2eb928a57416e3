import { readFile, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { asOperator, everything, type Options, print, printTable, verb } from './command.ts'
import { addFieldOptions, type FieldOptions, fieldsOf } from './domain-fields.ts'
import { domainIdOf } from './names.ts'

interface ImageOptions extends Options {
  set?: string
  save?: string
  remove?: boolean
}

/** `countersign domain …` */
export function domainCommand(): Command {
  const domain = new Command('domain').description(
    'Domains: what users log in to, each with its own rules. They are named by id or name.',
  )
  addFieldOptions(verb(domain, 'create', 'Create a domain in an organization.'))
    .requiredOption('--name <name>', 'what users see')
    .action(create)
  verb(domain, 'list', 'List the domains.').action(list)
  verb(domain, 'show <domain>', 'Show a domain with its rules.').action(show)
  addFieldOptions(verb(domain, 'update <domain>', 'Change rules of a domain; tokens go on.'))
    .option('--name <name>', 'what users see')
    .action(update)
  verb(domain, 'delete <domain>', 'Delete a domain with every token in it. There is no way back.').action(remove)
  verb(domain, 'image <domain>', 'Save, set or remove the picture of a domain.')
    .option('--save <file>', 'write it there')
    .option('--set <file>', 'a PNG of up to 256 KiB and 512 × 512 pixels, not interlaced')
    .option('--remove', 'have the built-in one again')
    .action(image)
  return domain
}

async function create(options: Options & FieldOptions & { name: string }): Promise<void> {
  const { org, json = false, name, ...fields } = options
  const input = { type: 'API', keyType: 'ONE_STEP', ...fieldsOf(fields), name }
  print(await asOperator(org, (app, actor, server) => server.createDomain(app, actor, input)), { json })
}

async function list(options: Options): Promise<void> {
  const domains = await asOperator(options.org, (app, actor, server) =>
    everything((part) => server.listDomains(app, actor, { ...part, limit: 1_000 })),
  )
  printTable(domains, ['id', 'name', 'type', 'keyType', 'numberMatching', 'onFraud', 'createdAt'], options)
}

async function show(named: string, options: Options): Promise<void> {
  const domain = await asOperator(options.org, async (app, actor, server) =>
    server.getManagedDomain(app, actor, { domainId: await domainIdOf(app, actor, named) }),
  )
  print(domain, options)
}

async function update(named: string, options: Options & FieldOptions & { name?: string }): Promise<void> {
  const { org, json = false, name, ...fields } = options
  const changes = { ...fieldsOf(fields), ...(name !== undefined && { name }) }
  const domain = await asOperator(org, async (app, actor, server) =>
    server.updateDomain(app, actor, { ...changes, domainId: await domainIdOf(app, actor, named) }),
  )
  print(domain, { json })
}

async function remove(named: string, options: Options): Promise<void> {
  const id = await asOperator(options.org, async (app, actor, server) => {
    const domainId = await domainIdOf(app, actor, named)
    await server.deleteDomain(app, actor, { domainId })
    return domainId
  })
  print({ id, deleted: true }, options)
}

async function image(named: string, { set, save, remove, ...options }: ImageOptions): Promise<void> {
  if ([set, save, remove].filter((one) => one !== undefined).length !== 1)
    throw new Error('Say one of --save FILE, --set FILE and --remove.')
  const upload = set === undefined ? undefined : await readFile(set)
  const { id, png } = await asOperator(options.org, async (app, actor, server) => {
    const domainId = await domainIdOf(app, actor, named)
    if (upload) await server.setDomainImage(app, actor, { domainId, png: upload })
    if (remove) await server.removeDomainImage(app, actor, { domainId })
    return { id: domainId, ...(await server.getDomainImage(app, actor, { domainId })) }
  })
  if (save !== undefined) await writeFile(save, png)
  print({ id, imageBytes: png.length }, options)
}
