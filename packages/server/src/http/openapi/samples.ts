/** What readers see in the place of what the tests put in: `{userId}` in an example and in a path. */
const samples: Record<string, string> = {
  organizationId: '6c1f0a3d9e4b27f58d10c2a7b93e64f8a05d17ce',
  domainId: 'a3c9e07b5d1f48620b9e7d3c5a1f08642e6b9d07',
  userId: '5f0d2c8be1a947360c7d4e9f1b2a8356d40e7f91',
  username: 'jane.doe',
  sessionId: '9c1185a5c5e9fc54612808977ee8f548b2258d31',
  bypassCode: '418205936',
  bypassCodeId: '27e4b80c6d9f135a8b02c7e61f4d93a5086be2f7',
  hardwareId: 'e81b7f3a02c65d94f7a1380be9d2465c13f0a786',
  otp1: '492039',
  otp2: '871166',
  signInSecret: '1Wl3Xq0nYd2sKc8RrV5uPzT7aHbE4mGfJ9oLiQwCxN6',
}
const anyId = '0d7a4c19be2f6835d10c9e47a2b85f36e41d7c08'

/** A value with a sample in the place of every placeholder. */
export function withSamples<Value>(value: Value): Value {
  return filled(value, (name) => samples[name] ?? anyId)
}

/** A value whose texts have for `{name}` what `textOf` says. */
export function filled<Value>(value: Value, textOf: (name: string) => string): Value {
  if (value === undefined) return value
  const text = JSON.stringify(value, (_, part) =>
    typeof part === 'string' ? part.replace(/\{(\w+)\}/g, (_match, name: string) => textOf(name)) : part,
  )
  return JSON.parse(text)
}
