// Somebody else's web site, on another origin, under a strict policy of its own, that has the widget's script tag.

import { once } from "node:events";
import { createServer } from "node:http";

export class Site {
  /** Serves its one page; `localhost` is another site than Onya's 127.0.0.1, not only another origin. */
  static async start() {
    const site = new Site();
    site.server.listen(0, "127.0.0.1");
    await once(site.server, "listening");
    return site;
  }

  constructor() {
    this.onya = null;
    this.server = createServer((request, response) => this.#answer(request, response));
  }

  get origin() {
    return `http://localhost:${this.server.address().port}`;
  }

  async stop() {
    this.server.closeAllConnections();
    await once(this.server.close(), "close");
  }

  #answer(request, response) {
    const token = new URL(request.url, this.origin).searchParams.get("token");
    const policy = `default-src 'none'; img-src data:; script-src ${this.onya}; frame-src ${this.onya}`;
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy });
    response.end(`<!doctype html><html lang="en"><head><title>A shop</title><link rel="icon" href="data:,">
      <script src="${this.onya}/widget.js" ${token === null ? "" : `data-token="${token}"`} async></script></head>
      <body><h1>A shop</h1><p><a href="#top">A link</a></p></body></html>`);
  }
}
