import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A server's certificate and its key, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** As openssl writes them; this machine's unless told otherwise. */
  readonly names?: string;
  readonly days?: number;
}

const THIS_MACHINE = "DNS:localhost,IP:127.0.0.1,IP:::1";
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** A certificate authority that was made just now, which nobody trusts unless told to. */
export class Authority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "modelyard-ca-"));
  /** Its own certificate, for `NODE_EXTRA_CA_CERTS`. */
  readonly file: string = join(this.#folder, "ca.pem");

  constructor() {
    const constraints = ["-addext", "basicConstraints=critical,CA:TRUE"];
    this.#openssl(
      "req",
      "-x509",
      ...NEW_KEY,
      "-subj",
      "/CN=A test's authority",
      ...constraints,
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
    );
  }

  get certificate(): string {
    return this.#read("ca.pem");
  }

  /** A certificate that it has signed. `days: -1`: it has expired. */
  issue({ names = THIS_MACHINE, days = 2 }: CertificateOptions = {}): Certificate {
    this.#openssl(
      "req",
      ...NEW_KEY,
      "-subj",
      "/CN=a test's server",
      "-keyout",
      "server.key",
      "-out",
      "server.csr",
    );
    writeFileSync(join(this.#folder, "names"), `subjectAltName=${names}\n`);
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
    this.#openssl(
      "x509",
      "-req",
      "-in",
      "server.csr",
      "-days",
      String(days),
      ...signed,
      "-out",
      "server.pem",
    );
    return { cert: this.#read("server.pem"), key: this.#read("server.key") };
  }

  /** A certificate that nobody but itself has signed. */
  selfSigned(): Certificate {
    const names = ["-addext", `subjectAltName=${THIS_MACHINE}`];
    this.#openssl(
      "req",
      "-x509",
      ...NEW_KEY,
      "-subj",
      "/CN=localhost",
      ...names,
      "-keyout",
      "self.key",
      "-out",
      "self.pem",
    );
    return { cert: this.#read("self.pem"), key: this.#read("self.key") };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #read(name: string): string {
    return readFileSync(join(this.#folder, name), "utf8");
  }

  #openssl(...parameters: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...parameters], { cwd: this.#folder });
    if (exitCode !== 0) throw new Error(`openssl ${parameters[0]}: ${stderr.toString()}`);
  }
}
