// Opens the model's tokenizer in transformers.js, which is installed in the working directory.
//
// node probe_node.mjs INPUTS transformers.js    INPUTS/expected.json: texts and their ids

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const inputs = process.argv[2];
const row = { client: "transformers.js", opened: "`AutoTokenizer`: ids" };
try {
  const require = createRequire(join(process.cwd(), "package.json"));
  const { AutoTokenizer, env } = await import(pathToFileURL(require.resolve("@huggingface/transformers")));
  env.allowRemoteModels = false;
  env.localModelPath = inputs;
  row.version = env.version;
  const tokenizer = await AutoTokenizer.from_pretrained("model");
  const { trials } = JSON.parse(readFileSync(join(inputs, "expected.json"), "utf8"));
  let wrong = 0;
  for (const [text, ids] of trials) {
    const found = tokenizer.encode(text, { add_special_tokens: false });
    wrong += JSON.stringify(Array.from(found, Number)) !== JSON.stringify(ids);
  }
  Object.assign(row, { rows: trials.length, difference: wrong });
} catch (error) {
  Object.assign(row, { version: row.version ?? "–", error: String(error).slice(0, 200) });
}
console.log("PROBE " + JSON.stringify(row));
