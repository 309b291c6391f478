// One tab of a person's browser, and everything in it that must not be: errors, violations of the policy, dialogs,
// requests to strangers.

export class Tab {
  #complaints = [];
  #expected = [];
  #origins;

  /** Opens `url` in a new tab of `context`: tabs of one context share what the browser keeps, as one person's do. */
  static async open(context, url, origins = []) {
    const tab = new this(await context.newPage(), [new URL(url).origin, ...origins]);
    await tab.prepare();
    await tab.page.goto(url);
    return tab;
  }

  constructor(page, origins) {
    this.page = page;
    this.#origins = origins;
  }

  /** What happens before the page is loaded. */
  async prepare() {
    this.page.on("pageerror", ({ stack }) => this.#complaints.push(`error: ${stack}`));
    this.page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      this.#complaints.push(`console: ${message.text()} (${message.location().url})`);
    });
    this.page.on("dialog", (dialog) => {
      this.#complaints.push(`dialog: ${dialog.message()}`);
      return dialog.dismiss();
    });
    this.page.on("request", (request) => this.#leaves(request.url()));
    this.page.on("websocket", (socket) => this.#leaves(socket.url().replace(/^ws/, "http")));
    await this.page.addInitScript(() => {
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
        console.error(`violates ${violatedDirective}: ${blockedURI}`);
      });
    });
  }

  /** What this story brings about on purpose. */
  expects(pattern) {
    this.#expected.push(pattern);
  }

  /** Everything that must not be, but for what is expected. */
  async problems() {
    return this.#complaints.filter((complaint) => !this.#expected.some((pattern) => pattern.test(complaint)));
  }

  /** For those who see more than the browser complains of. */
  complain(about) {
    this.#complaints.push(about);
  }

  /** Loads the page again. */
  async reload() {
    await this.page.reload();
  }

  #leaves(address) {
    const { origin, protocol } = new URL(address);
    if (["data:", "blob:"].includes(protocol) || this.#origins.includes(origin)) return;
    this.#complaints.push(`request to ${address}`);
  }
}
