/** Runes everywhere; no preprocessor: TypeScript in components is erased, not compiled. */
export default { compilerOptions: { runes: true } }
