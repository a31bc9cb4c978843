// One file through tus-js-client: node cut_client.mjs ADDRESS TOKEN FILE prints {"retries": n} once the server has all of it.
import { createReadStream } from "node:fs";
import { Upload } from "tus-js-client";

const [uploadUrl, token, file] = process.argv.slice(2);
const MOST = 200; // in a row, without a byte between them
let retries = 0;
new Upload(createReadStream(file), {
  uploadUrl,
  chunkSize: Infinity,
  headers: { Authorization: `Bearer ${token}` },
  retryDelays: Array(MOST).fill(0),
  onShouldRetry: () => {
    retries += 1;
    return true;
  },
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => console.log(JSON.stringify({ retries })),
}).start();
