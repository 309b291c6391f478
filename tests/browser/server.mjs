// One Onya for one story: the built binary on free ports with a data folder and an environment of its own.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Api } from "./api.mjs";
import { until } from "./until.mjs";

export class Server {
  #child = null;

  /** Starts one with these settings and waits until it is ready. */
  static async start(settings = {}) {
    const server = new Server(mkdtempSync(join(tmpdir(), "onya-browser-")), await freePorts(2), settings);
    await server.start();
    return server;
  }

  constructor(folder, [port, metricsPort], settings) {
    this.folder = folder;
    this.url = `http://127.0.0.1:${port}`;
    // Nothing of the developer's environment: an exported DATABASE_URL must not become the target of a test.
    this.environment = {
      PATH: process.env.PATH,
      PORT: String(port),
      ONYA_METRICS__PORT: String(metricsPort),
      ONYA_NODE__DATA_DIR: join(folder, "data"),
      ...settings,
    };
  }

  /** Also starts it again: on the same data and the same port. */
  async start() {
    const log = openSync(this.#logFile, "a");
    // The kernel ends the server too if this process is killed before it can.
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", process.env.ONYA_BIN, "serve"], {
      cwd: this.folder,
      env: this.environment,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    await until("the server to be ready", () => this.#readiness(), (status) => status === 200);
  }

  /** Ends it as a crash does: nothing is said, finished or flushed. */
  async kill() {
    if (this.#hasEnded) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Ends it for good. */
  async remove() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A token for staff, made as an operator makes it. */
  staffToken(name, role = "agent") {
    const options = { cwd: this.folder, env: this.environment, encoding: "utf8" };
    const made = spawnSync(process.env.ONYA_BIN, ["token", "--role", role, "--name", name], options);
    if (made.status !== 0) throw new Error(`onya token failed: ${made.stderr}`);
    return made.stdout.trim();
  }

  /** The HTTP interface, as whoever has this token may use it. */
  api(token) {
    return new Api(this.url, token);
  }

  get log() {
    return readFileSync(this.#logFile, "utf8");
  }

  get #logFile() {
    return join(this.folder, "onya.log");
  }

  get #hasEnded() {
    return this.#child === null || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #readiness() {
    if (this.#hasEnded) throw new Error(`onya serve ended by itself:\n${this.log}`);
    return fetch(`${this.url}/health/ready`).then(({ status }) => status, ({ message }) => message);
  }
}

/** Distinct ports of 127.0.0.1 that were free a moment ago. */
async function freePorts(count) {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(listeners.map((listener) => once(listener, "listening")));
  const ports = listeners.map((listener) => listener.address().port);
  await Promise.all(listeners.map((listener) => once(listener.close(), "close")));
  return ports;
}
