// One Onya for one test: the built binary on free ports with a data folder and an environment of its own.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { until } from "../until.ts";

/** Settings of a server by their key, for example `llm.mock.tokens_per_second`. */
export type Settings = Readonly<Record<string, string>>;

/** A server process, which may be killed and started again on the same data and port. */
export class Onya {
  readonly #binary = binary();
  readonly #folder = mkdtempSync(join(tmpdir(), "onya-client-"));
  readonly #settings: Settings;
  readonly #port: number;
  readonly #metricsPort: number;
  #child: ChildProcess | null = null;

  /** Starts one and waits until it is ready. */
  static async start(settings: Settings = {}): Promise<Onya> {
    const [port = 0, metricsPort = 0] = await freePorts(2);
    const onya = new Onya(settings, port, metricsPort);
    await onya.start();
    return onya;
  }

  private constructor(settings: Settings, port: number, metricsPort: number) {
    this.#settings = settings;
    this.#port = port;
    this.#metricsPort = metricsPort;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  /** Also starts it again. */
  async start(): Promise<void> {
    const log = openSync(this.#logFile, "a");
    // The kernel ends the server too if this process is killed before it can.
    const command = ["--pdeathsig", "KILL", this.#binary, "serve", ...this.#options];
    this.#child = spawn("setpriv", command, { ...this.#place, stdio: ["ignore", log, log] });
    closeSync(log);
    await until("the server is ready", async () => (await this.#readiness()) === 200, 30_000);
  }

  /** Ends it as a crash does, or as an operator does. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (this.#hasEnded || this.#child === null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }

  /** Ends it for good. */
  async remove(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A token, made as an operator makes it. */
  token(...options: string[]): string {
    const made = spawnSync(this.#binary, ["token", ...options, ...this.#options], { ...this.#place, encoding: "utf8" });
    if (made.status !== 0) throw new Error(`onya token failed: ${made.stderr}`);
    return made.stdout.trim();
  }

  /** One HTTP call past the kit, as somebody with this token. */
  answer(method: "GET" | "POST", path: string, token: string, body: unknown = {}): Promise<Response> {
    const headers = {
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
      "Idempotency-Key": crypto.randomUUID(),
    };
    const payload = method === "GET" ? {} : { body: JSON.stringify(body) };
    return fetch(this.url + path, { method, headers, ...payload });
  }

  get #options(): string[] {
    return Object.entries(this.#settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  }

  get #place() {
    // Nothing of the developer's environment: an exported DATABASE_URL must not become the target of a test.
    const env = {
      PATH: process.env.PATH,
      PORT: String(this.#port),
      ONYA_METRICS__PORT: String(this.#metricsPort),
      ONYA_NODE__DATA_DIR: join(this.#folder, "data"),
    };
    return { cwd: this.#folder, env };
  }

  get #logFile(): string {
    return join(this.#folder, "onya.log");
  }

  get #hasEnded(): boolean {
    return this.#child === null || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #readiness(): Promise<number> {
    if (this.#hasEnded) throw new Error(`onya serve ended by itself:\n${this.log}`);
    return fetch(`${this.url}/health/ready`).then(
      ({ status }) => status,
      () => 0,
    );
  }
}

function binary(): string {
  const path = process.env.ONYA_BIN;
  if (path) return path;
  throw new Error("These tests need the built server: cargo build && export ONYA_BIN=$PWD/target/debug/onya");
}

/** Distinct ports of 127.0.0.1 that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const listeners = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(listeners.map((listener) => once(listener, "listening")));
  const ports = listeners.map((listener) => portOf(listener.address()));
  await Promise.all(listeners.map((listener) => once(listener.close(), "close")));
  return ports;
}

/** The port of a listener on TCP. */
export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("not listening on TCP");
  return address.port;
}
