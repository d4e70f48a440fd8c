/** CVE-2026-21713 and -21717 (comparison of MACs, collisions of names in JSON) and -21714 (leak on WINDOW_UPDATE) are mended from here on. */
const needed = [24, 14, 1] as const;

/**
 * @param version As `process.versions.node`.
 * @throws {Error} The engine is older than what the libraries can be safe on, or does not say how old it is.
 */
export function checkNodeVersion(version: string = process.versions.node): void {
  const found = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [];
  for (const [index, least] of needed.entries()) {
    const part = found[index] ?? -1;
    if (part > least) return;
    if (part < least) throw new Error(`Token Mesh needs Node ${needed.join('.')} or later, for the holes mended there; this is ${version}`);
  }
}
