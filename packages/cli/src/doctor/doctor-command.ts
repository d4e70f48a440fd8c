import { randomUUID } from 'node:crypto';
import { clientCertificate, privateKeyJwt } from '@tokenmesh/interceptor';
import { Command, Option } from 'commander';
import type { CommandIo } from '../command-io.ts';
import { readOptionFile, readSecret, UsageError } from '../settings.ts';
import { type Examination, examine } from './examine.ts';
import type { IssuerExamination } from './examine-issuer.ts';
import type { NatsExamination } from './examine-nats.ts';
import type { Finding } from './finding.ts';
import { countsOf, printFinding, printSummary } from './print-findings.ts';

const exitCodes = `
Secrets are read from files, or from TOKENMESH_NATS_VERIFIER_NKEY and TOKENMESH_NATS_ISSUER_NKEY; never from arguments.

Exit codes:
  0    nothing failed; warnings and skipped checks may be there
  1    a check failed
  2    the command was called wrongly
  130  interrupted
`;

/** What the command line says. */
interface DoctorFlags {
  readonly nats?: readonly string[];
  readonly monitor?: readonly string[];
  readonly verifierNkey?: string;
  readonly issuerNkey?: string;
  readonly tokenExchange?: string;
  readonly self?: string;
  readonly assertionKey?: string;
  readonly mesh?: string;
  readonly issuer?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly output: 'text' | 'json';
}

/** `tokenmesh doctor`. */
export function doctorCommand(io: CommandIo): Command {
  return new Command('doctor')
    .description('Look at the NATS and the token-exchange of a mesh, and say what is wrong and what to do. Changes nothing.')
    .addOption(
      new Option('--nats <url>', 'server of NATS; several with commas between them, each is looked at').env('NATS_URL').argParser(list),
    )
    .addOption(
      new Option('--monitor <url>', 'its monitoring, such as http://127.0.0.1:8222; likewise several')
        .env('TOKENMESH_NATS_MONITOR')
        .argParser(list),
    )
    .addOption(new Option('--verifier-nkey <file>', "file with the seed of a verifier's nkey").env('TOKENMESH_NATS_VERIFIER_NKEY_FILE'))
    .addOption(new Option('--issuer-nkey <file>', "file with the seed of token-exchange's nkey").env('TOKENMESH_NATS_ISSUER_NKEY_FILE'))
    .addOption(new Option('--token-exchange <host:port>', 'token-exchange').env('TOKENMESH_TOKEN_EXCHANGE'))
    .addOption(new Option('--self <spiffe-id>', 'the workload as which token-exchange is asked').env('TOKENMESH_SELF'))
    .addOption(
      new Option('--assertion-key <file>', 'its private key (PKCS#8 PEM); without it it authenticates by --cert').env('TOKENMESH_KEY_FILE'),
    )
    .addOption(new Option('--mesh <trust-domain>', 'the trust domain; default that of --self').env('TOKENMESH_MESH'))
    .addOption(new Option('--issuer <url>', 'iss of its tokens; default https://token-exchange.<mesh>').env('TOKENMESH_ISSUER'))
    .addOption(
      new Option('--ca <file>', 'authorities of the certificates of both (PEM); default: the ones of the system').env('TOKENMESH_CA_FILE'),
    )
    .addOption(new Option('--cert <file>', 'certificate to present to both (PEM)').env('TOKENMESH_TLS_CERT_FILE'))
    .addOption(new Option('--key <file>', 'its private key (PEM)').env('TOKENMESH_TLS_KEY_FILE'))
    .addOption(new Option('-o, --output <form>', 'form of the results').choices(['text', 'json']).default('text'))
    .addHelpText('after', exitCodes)
    .action(async (flags: DoctorFlags) => io.exit(await diagnose(examinationOf(flags, process.env), flags.output, io)));
}

/** A URL or several, with commas between them, once or several times. */
function list(value: string, before: readonly string[] = []): readonly string[] {
  return [
    ...before,
    ...value
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
  ];
}

/** What comes until the signal, and no waiting for what was under way then. */
async function* untilAborted<T>(source: AsyncGenerator<T>, signal: AbortSignal): AsyncGenerator<T> {
  const aborted = new Promise<{ readonly done: true }>((resolve) => {
    if (signal.aborted) resolve({ done: true });
    signal.addEventListener('abort', () => resolve({ done: true }), { once: true });
  });
  for (;;) {
    const next = await Promise.race([aborted, source.next()]);
    if (next.done) return;
    yield next.value;
  }
}

async function diagnose(examination: Examination, output: DoctorFlags['output'], io: CommandIo): Promise<number> {
  const findings: Finding[] = [];
  for await (const finding of untilAborted(examine(examination), io.signal)) {
    findings.push(finding);
    if (output === 'text') printFinding(finding, io.out);
  }
  const counts = countsOf(findings);
  if (output === 'json') io.out.write(`${JSON.stringify({ findings, counts }, undefined, 2)}\n`);
  else printSummary(counts, io.err);
  if (io.signal.aborted) return 130;
  return counts.failed > 0 ? 1 : 0;
}

/** @throws {UsageError} Something that the checks need was not said, or a file cannot be read. */
function examinationOf(flags: DoctorFlags, env: NodeJS.ProcessEnv): Examination {
  const { nats, tokenExchange, self } = flags;
  if (!nats?.length && tokenExchange === undefined) throw new UsageError('name what to look at: --nats, --token-exchange, or both');
  const mesh = flags.mesh ?? (self === undefined ? undefined : trustDomainOf(self));
  if (mesh === undefined) throw new UsageError('--mesh: the trust domain is needed, of itself or from --self');
  if (!/^[a-z0-9._-]{1,255}$/.test(mesh)) throw new UsageError(`--mesh: ${mesh} is no trust domain`);
  return {
    ...(nats?.length && { nats: natsOf(nats, mesh, flags, env) }),
    ...(tokenExchange !== undefined && { tokenExchange: issuerOf(tokenExchange, mesh, flags) }),
  };
}

function natsOf(servers: readonly string[], mesh: string, flags: DoctorFlags, env: NodeJS.ProcessEnv): NatsExamination {
  const verifierSeed = readSeed('--verifier-nkey', flags.verifierNkey, env.TOKENMESH_NATS_VERIFIER_NKEY);
  const issuerSeed = readSeed('--issuer-nkey', flags.issuerNkey, env.TOKENMESH_NATS_ISSUER_NKEY);
  const { ca, cert, key } = tlsOf(flags);
  return {
    ...{ servers, mesh, monitors: flags.monitor ?? [] },
    ...(verifierSeed !== undefined && { verifierSeed }),
    ...(issuerSeed !== undefined && { issuerSeed }),
    ...((ca || cert) && {
      tls: { ...(ca && { ca: ca.toString() }), ...(cert && { cert: cert.toString() }), ...(key && { key: key.toString() }) },
    }),
  };
}

function readSeed(option: string, path: string | undefined, value: string | undefined): string | undefined {
  const seed = readSecret(option, path, value);
  if (seed === undefined || /^SU[A-Z2-7]{56}$/.test(seed)) return seed;
  throw new UsageError(`${option}: what it names is no seed of a user's nkey, which begins with SU and has 58 characters`);
}

function issuerOf(address: string, mesh: string, flags: DoctorFlags): IssuerExamination {
  const { self, assertionKey, issuer = `https://token-exchange.${mesh}` } = flags;
  const tls = tlsOf(flags);
  if (assertionKey !== undefined) readOptionFile('--assertion-key', assertionKey);
  const credential = assertionKey === undefined ? tls.cert && clientCertificate() : privateKeyJwt(assertionKey);
  return {
    ...{ address, mesh, issuer, tls, now: Date.now, newId: randomUUID },
    audience: `spiffe://${mesh}/token-exchange`,
    ...(self !== undefined && credential && { workload: { self, credential } }),
  };
}

function tlsOf({ ca, cert, key }: DoctorFlags) {
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key belong together');
  return {
    ...(ca !== undefined && { ca: readOptionFile('--ca', ca) }),
    ...(cert !== undefined && { cert: readOptionFile('--cert', cert) }),
    ...(key !== undefined && { key: readOptionFile('--key', key) }),
  };
}

function trustDomainOf(self: string): string {
  const domain = /^spiffe:\/\/([a-z0-9._-]+)\//.exec(self)?.[1];
  if (domain === undefined) throw new UsageError(`--self: ${self} is no SPIFFE ID, expected spiffe://<trust domain>/<path>`);
  return domain;
}
