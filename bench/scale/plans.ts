import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import pg from 'pg'
import type { Seeded } from './seeded.ts'
import type { Watched } from './watch.ts'

/** What a database says of how it answers a statement. */
interface Plan {
  /** the indexes that are entered */
  indexes: string[]
  /** what makes it slower the more rows there are; empty where all is well */
  flaws: string[]
}

/** Tells the plans of statements on a seeded database. */
export interface Planner {
  planOf(watched: Watched): Promise<Plan>
  close(): Promise<void>
}

const big = 'users|members|tokens|sessions|hardware_tokens|bypass_codes|audit_events|page'

export async function openPlanner(seeded: Seeded): Promise<Planner> {
  return seeded.database === 'sqlite' ? sqlitePlanner(seeded.data) : postgresPlanner(seeded.database)
}

function sqlitePlanner(data: string): Planner {
  const db = new DatabaseSync(join(data, 'countersign.sqlite'), { readOnly: true })
  return {
    async planOf({ text, values }) {
      const lines = db.prepare(`explain query plan ${text}`).all(...(values as SQLInputValue[]))
      const details = lines.map(({ detail }) => String(detail))
      const indexes = details.flatMap((detail) => /INDEX (\S+)/.exec(detail)?.[1] ?? [])
      return { indexes, flaws: details.filter((detail) => isWalk(text, detail)) }
    },
    close: async () => db.close(),
  }
}

const scan = new RegExp(`^SCAN (${big})\\b`)
// Everything that an organization has: all right where it is in order and the statement takes no more than a part of it.
const whole = new RegExp(`^SEARCH (${big}) .*\\(organization_id=\\?\\)$`)
const firstPart =
  /^select [^(]* from \w+ where organization_id = \?( and user_id is (not )?null)? order by [^(]* limit \?$/

function isWalk(text: string, detail: string): boolean {
  if (scan.test(detail)) return true
  // ?page=N walks an index of ids, which has all that it looks at.
  if (whole.test(detail)) return !firstPart.test(text.replaceAll('"', '')) && !isNumberedPage(text, detail)
  return /TEMP B-TREE/.test(detail) && /limit \?$/.test(text)
}

function isNumberedPage(text: string, detail: string): boolean {
  return text.includes(' offset ') && detail.includes('COVERING INDEX')
}

interface Node {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Rows'?: number
  'Actual Loops'?: number
  'Rows Removed by Filter'?: number
  Plans?: Node[]
}

// With these values, and as it is planned once for all values after some executions.
async function postgresPlanner(url: string): Promise<Planner> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const explain = async (how: string, text: string, values: unknown[]): Promise<Node[]> => {
    const { rows } = await client.query(`explain (${how}, format json) ${text}`, values)
    return nodesOf(rows[0]['QUERY PLAN'][0].Plan)
  }
  return {
    async planOf({ text, values }) {
      if (!text.startsWith('select')) return { indexes: [], flaws: [] }
      const nodes = await explain('analyze', text, values)
      const generic = await explain('generic_plan', text, [])
      const flaws = [...nodes, ...generic].flatMap((node) => flawOf(text, node))
      return { indexes: nodes.flatMap((node) => node['Index Name'] ?? []), flaws: [...new Set(flaws)] }
    },
    close: () => client.end(),
  }
}

const bigTable = new RegExp(`^(${big})$`)
// A part has at most 1,000 items here, and the audit log looks at 1,000 events at a time; a user is in two domains.
const rowsMax = 2_500

function flawOf(text: string, node: Node): string[] {
  const { 'Node Type': type, 'Relation Name': table = '', 'Actual Loops': loops = 0 } = node
  if (type === 'Seq Scan' && bigTable.test(table)) return [`Seq Scan on ${table}`]
  const rows = ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) * loops
  if (rows <= rowsMax || (type === 'Index Only Scan' && text.includes(' offset '))) return []
  return ['Limit', 'Sort'].includes(type) ? [] : [`${type} on ${table || 'rows'}: ${rows} rows`]
}

function nodesOf(node: Node): Node[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}
