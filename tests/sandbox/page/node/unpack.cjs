// Unpacks the browser that comes inside the package: node unpack.cjs FOLDER
const fs = require("node:fs");
const path = require("node:path");
const zlib = require("node:zlib");

const packed = path.join(__dirname, "node_modules", "@sparticuz", "chromium", "bin");
for (const name of ["chromium", "al2023.tar", "swiftshader.tar"]) {
  const bytes = zlib.brotliDecompressSync(fs.readFileSync(path.join(packed, `${name}.br`)));
  fs.writeFileSync(path.join(process.argv[2], name), bytes, { mode: 0o755 });
}
