// The compressed forms of a file, each where it is smaller than the file.

import { brotliCompressSync, brotliDecompressSync, constants, gunzipSync, gzipSync } from "node:zlib";

const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };

/** By the ending of the file's name: how to make the form, and how to read it. */
export const FORMS = {
  ".br": { make: (bytes) => brotliCompressSync(bytes, BROTLI), read: brotliDecompressSync },
  ".gz": { make: (bytes) => gzipSync(bytes, { level: 9 }), read: gunzipSync },
};

/** Whether a name is that of a compressed form. */
export function isForm(name) {
  return Object.keys(FORMS).some((ending) => name.endsWith(ending));
}
