/** The build of this package that is compared: dist/ of the repository, or the index.js that JOUST_DIST names. */
export const joust = await import(process.env.JOUST_DIST ?? "../../dist/index.js");
