import { type Run, text } from './statement.ts'

/** A column of encrypted fields. */
export interface EncryptedColumn {
  table: string
  column: string
  /** the table's primary key */
  key: readonly string[]
  /** the columns that are part of what is authenticated, together the row of FieldPlace in core/secrets.ts */
  row: readonly string[]
}

/** An encrypted field, the values of its row's key, and those of the columns that it is bound to with slashes between. */
export interface EncryptedField {
  key: string[]
  row: string
  cipher: string
}

/** Every column that holds encrypted fields. Their names end in `_cipher`, and a test compares this list with the tables. */
const columns: readonly EncryptedColumn[] = [
  ...['code_cipher', 'secret_cipher', 'pin_key_cipher', 'push_endpoint_cipher', 'push_keys_cipher'].map((column) => ({
    table: 'tokens',
    column,
    key: ['organization_id', 'tid'],
    row: ['tid'],
  })),
  { table: 'bypass_codes', column: 'code_cipher', key: ['organization_id', 'id'], row: ['user_id', 'id'] },
  { table: 'hardware_tokens', column: 'seed_cipher', key: ['organization_id', 'id'], row: ['user_id', 'id'] },
  { table: 'sessions', column: 'evidence_cipher', key: ['organization_id', 'sid'], row: ['sid'] },
]

/** Encrypted fields as such, over all organizations: for their re-encryption. */
export const ciphers = (run: Run) => ({
  columns,

  /** How many fields are under another key than this one. */
  count: async ({ table, column }: EncryptedColumn, keyId: string): Promise<number> => {
    const sql = `select count(*) as count from ${table} where ${column} not like ?`
    const [row] = await run(text<{ count: number }>(sql, [under(keyId)]))
    return Number(row?.count ?? 0)
  },

  /** Some of the fields that are under another key than this one, after a row in the order of the key. */
  list: async (
    { table, column, key, row }: EncryptedColumn,
    { keyId, after, limit }: { keyId: string; after: string[] | undefined; limit: number },
  ): Promise<EncryptedField[]> => {
    const start = after ? `and (${key.join(', ')}) > (${key.map(() => '?').join(', ')})` : ''
    const sql = `select ${[...new Set([...key, ...row])].join(', ')}, ${column} as cipher from ${table}
      where ${column} not like ? ${start} order by ${key.join(', ')} limit ?`
    const found = await run(text<Record<string, string | null>>(sql, [under(keyId), ...(after ?? []), limit]))
    return found.map((values) => {
      const valuesOf = (names: readonly string[]) => names.map((name) => values[name] ?? '')
      return { key: valuesOf(key), row: valuesOf(row).join('/'), cipher: values.cipher ?? '' }
    })
  },

  /** Puts a field in the place of what was read; false when that is not there any more. */
  replace: async ({ table, column, key }: EncryptedColumn, field: EncryptedField, cipher: string): Promise<boolean> => {
    const where = key.map((name) => `${name} = ?`).join(' and ')
    const sql = `update ${table} set ${column} = ? where ${where} and ${column} = ? returning ${column}`
    return (await run(text(sql, [cipher, ...field.key, field.cipher]))).length === 1
  },
})

/** What a field begins with, as a pattern: a key's id is of letters and digits. */
function under(keyId: string): string {
  return `v1.${keyId}.%`
}
