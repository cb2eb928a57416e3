const scripts = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u]

/** A domain's name as it is; as punycode if it is a host name whose letters come from scripts that look alike. */
export function hostShown(name: string): string {
  const mixed = scripts.filter((script) => script.test(name)).length > 1
  const isHost = /^\S+\.\S+$/.test(name) && URL.canParse(`https://${name}`)
  return mixed && isHost ? new URL(`https://${name}`).host : name
}
