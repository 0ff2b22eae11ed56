// Node: `node client.mjs fetch|http` reads the requests from stdin and prints what came of them, both as JSON.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

globalThis.crypto ??= (await import("node:crypto")).webcrypto;
const requests = JSON.parse(readFileSync(0, "utf8"));
const agents = { "http:": new http.Agent({ keepAlive: true }), "https:": new https.Agent({ keepAlive: true }) };

function ask({ url, method, size, chunked, fields, waits }) {
  return new Promise((resolve) => {
    const { protocol } = new URL(url);
    const body = size === null ? "" : "0123456789".repeat(size / 10);
    const headers = { ...fields };
    if (size !== null && !chunked) headers["Content-Length"] = size;
    if (waits) headers["Expect"] = "100-continue";
    const request = (protocol === "https:" ? https : http).request(url, { method, headers, agent: agents[protocol] });
    const hints = [];
    request.on("information", ({ statusCode }) => hints.push(statusCode));
    request.on("error", (err) => resolve({ error: String(err) }));
    request.on("response", (response) => {
      const sum = createHash("sha256");
      let length = 0;
      response.on("data", (data) => { sum.update(data); length += data.length; });
      response.on("error", (err) => resolve({ error: String(err) }));
      response.on("end", () => resolve({
        status: response.statusCode, fields: response.headers, length, sha256: sum.digest("hex"),
        trailers: response.trailers, hints,
      }));
    });
    if (waits) request.on("continue", () => request.end(body));
    else { if (chunked) request.write(""); request.end(body); }
  });
}

const results = [];
if (process.argv[2] === "fetch") {
  results.push(...await eval(readFileSync(new URL("fetch.js", import.meta.url), "utf8"))(requests));
} else {
  for (const request of requests) results.push(await ask(request));
}
console.log(JSON.stringify(results));
process.exit(0);
