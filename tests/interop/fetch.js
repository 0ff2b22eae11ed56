// One client for `fetch`, in Node and in a browser: does the requests in turn, and tells what came.
async (requests) => {
  const results = [];
  for (const { url, method, size, chunked, fields } of requests) {
    try {
      const init = { method, headers: fields };
      if (size !== null) init.body = "0123456789".repeat(size / 10);
      if (chunked) {
        init.body = new Blob([init.body]).stream();
        init.duplex = "half";
      }
      const response = await fetch(url, init);
      const body = await response.arrayBuffer();
      const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
      results.push({
        status: response.status,
        fields: Object.fromEntries(response.headers),
        length: body.byteLength,
        sha256: Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      });
    } catch (err) {
      results.push({ error: `${err} ${err.cause ?? ""}` });
    }
  }
  return results;
};
