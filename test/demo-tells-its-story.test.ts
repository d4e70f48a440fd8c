import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startOtlpReceiver } from '@tokenmesh/shop/demo';
import { describe, expect, it } from 'vitest';
import { tokensIn } from './tokens-in.ts';

const main = fileURLToPath(new URL('../services/shop/demo/main.ts', import.meta.url));

async function runDemo(env: NodeJS.ProcessEnv): Promise<{ readonly code: number | null; readonly output: string }> {
  const demo = spawn(process.execPath, [main, '--once'], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  demo.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  demo.stderr.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  const code = await new Promise<number | null>((resolve) => demo.on('close', resolve));
  return { code, output };
}

describe('pnpm demo --once', () => {
  it.skipIf(!process.env.TOKENMESH_NATS_SERVER)(
    'holds with NATS and draws one trace, without a token in its output',
    async () => {
      const { code, output } = await runDemo({ OTEL_EXPORTER_OTLP_ENDPOINT: '' });
      expect(code, output).toBe(0);
      expect(output).toMatch(/revocations travel over NATS: nats-server \d/);
      expect(output).toMatch(/shop\.v1\.Payments\/Charge/);
      expect(tokensIn(output)).toEqual([]);
    },
    60_000,
  );

  it('holds on the gRPC feed where there is no nats-server, sends traces where it is told, and no token with them', async () => {
    const otlp = await startOtlpReceiver();
    const { code, output } = await runDemo({
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint,
      TOKENMESH_NATS_SERVER: '/there/is/none',
    });
    expect(code, output).toBe(0);
    expect(output).toMatch(/revocations come over gRPC from token-exchange itself, without NATS/);
    expect(tokensIn(output)).toEqual([]);
    expect(new Set(otlp.spans.map((span) => span.service))).toEqual(new Set(['demo', 'gateway', 'orders', 'payments', 'token-exchange']));
    expect(tokensIn(JSON.stringify(otlp.spans))).toEqual([]);
    await otlp.close();
  }, 60_000);
});
