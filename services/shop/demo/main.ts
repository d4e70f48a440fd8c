/** `pnpm demo`: see `--help`. */
import { parseArgs, styleText } from 'node:util';
import { startTelemetry } from '../src/telemetry.ts';
import { type Shop, startShop } from './launch.ts';
import type { ManagedProcess } from './managed-process.ts';
import { createReport, type Report } from './report.ts';
import { address } from './services.ts';
import { tellStory } from './story.ts';
import { runTraffic } from './traffic.ts';

const help = `Token Mesh, shown on a shop of three services that run on this machine.

  pnpm demo          tells the story, then keeps light traffic running until Ctrl-C
  pnpm demo --once   tells the story and ends: exit code 0, or 1 if a step did not hold
  pnpm demo --help   this text

Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT   send traces there (OTLP over gRPC); without it one trace is drawn here
  TOKENMESH_NATS_SERVER         the nats-server to run; default: on PATH, or Debian’s package when root
  TOKENMESH_NO_INSTALL=1        install nothing

Everything listens on 127.0.0.1, on free ports, and is gone when the demo ends.
`;

const restartAfterMs = 15_000; // long enough to see the mesh do without
const interruptedCode = 130;

const { once, help: helpWanted } = readFlags();
if (helpWanted) process.stdout.write(help);
else {
  process.exitCode = await demo().catch((error: Error) => {
    process.stderr.write(`\nThe demo could not go on. ${error.message}\n`);
    return 1;
  });
}

async function demo(): Promise<number> {
  const interruption = new AbortController();
  const interrupted = new Promise<void>((resolve) => interruption.signal.addEventListener('abort', () => resolve()));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interruption.abort());

  process.env.OTEL_BSP_SCHEDULE_DELAY ??= '200'; // milliseconds: the demo waits for a trace that it has a part in
  const startedAt = performance.now();
  say(styleText('bold', 'Token Mesh: short-lived tokens on every call, verified in process, taken back in milliseconds'));
  const starting = startShop({
    otlpEndpoint: process.env.OTEL_EXPORTER_OTLP_ENDPOINT,
    report: (what) => say(styleText('dim', `   ${what} …`)),
    onUnexpectedExit: (process, how) => reviveLater(process, how, interruption.signal),
  });
  const started = await Promise.race([starting, interrupted]);
  if (!started) process.exit(interruptedCode); // what was started so far ends with this process
  await using shop = started;

  try {
    const telemetry = await startTelemetry('demo', shop.otlpEndpoint);
    const report = createReport((text) => process.stdout.write(text));
    await Promise.race([tellStory(shop, report), interrupted]);
    if (interruption.signal.aborted) return interruptedCode;
    say(`\n${summary(report)} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
    if (!once) {
      say(whatToTry(shop));
      await runTraffic(shop, await shop.mesh('customer'), { signal: interruption.signal });
    }
    await telemetry.shutdown();
    return report.failed === 0 ? 0 : 1;
  } finally {
    interruption.abort(); // nothing is started again from here on
  }
}

function reviveLater(process: ManagedProcess, how: string, stopping: AbortSignal): void {
  say(`\n   ${styleText('yellow', `${process.name} ${how}`)}; it is started again in ${restartAfterMs / 1000} s`);
  const timer = setTimeout(async () => {
    await process.start().catch((error: Error) => say(`   ${error.message}`));
    if (process.running) say(`\n   ${process.name} runs again`);
  }, restartAfterMs);
  stopping.addEventListener('abort', () => clearTimeout(timer));
}

function summary({ held, failed }: Report): string {
  return failed === 0 ? styleText('green', `All ${held} steps held`) : styleText('red', `${failed} of ${held + failed} steps did not hold`);
}

function whatToTry({ tokenExchange, nats, gateway, directory }: Shop): string {
  return `
What to try next, in another terminal (light traffic goes on meanwhile; Ctrl-C ends everything)
   Keys, configuration, database and logs of this run:
      cd ${directory}
      cat tokenmesh.yaml
      tail -f token-exchange.log
   The mesh goes on without its issuer, which is started again ${restartAfterMs / 1000} s later:
      kill -9 ${tokenExchange.pid}${nats ? `\n   And without NATS, over gRPC from token-exchange:\n      kill -9 ${nats.pid}` : ''}
   A certificate alone is no credential (grpcurl, in the repository):
      D=${directory}
      grpcurl -cacert $D/ca.crt -cert $D/customer/tls.crt -key $D/customer/tls.key \\
        -import-path proto -proto shop/v1/gateway.proto -d '{"item":"tea","quantity":1}' \\
        ${address(gateway)} shop.v1.Gateway/PlaceOrder
   Traces in a collector or Jaeger:
      OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 npx -y pnpm@12 demo
   A service in the mesh, to copy: services/shop/src/main.ts
`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function readFlags(): { readonly once?: boolean; readonly help?: boolean } {
  try {
    return parseArgs({ options: { once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } }).values;
  } catch (error) {
    // The cast holds: parseArgs throws TypeErrors only.
    process.stderr.write(`${(error as Error).message}\n\n${help}`);
    process.exit(2);
  }
}
