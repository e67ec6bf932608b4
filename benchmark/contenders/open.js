/** Opens a contender by name. Only the one asked for is loaded: each side has its process to itself. */
export async function openContender(name, options) {
  const { open } = await import(`./${name}.js`);
  return open(options);
}
