import { findNatsServer } from '@tokenmesh/shop/demo';

/**
 * Runs once before all tests: finds the programs that they run against, installs what is missing where that is possible, and says in one
 * line each what is skipped and what to install. With `TOKENMESH_SKIP_IS_FAILURE=1` nothing may be missing.
 *
 * Tests find a nats-server in `TOKENMESH_NATS_SERVER`; without it those that need one are skipped.
 */
export default async function realComponents(): Promise<void> {
  const nats = await findNatsServer({ report: (what) => console.log(what) });
  if (nats.path !== undefined) {
    process.env.TOKENMESH_NATS_SERVER = nats.path;
    console.log(`tests use nats-server ${nats.version} (${nats.path})`);
    return;
  }
  const missing = `tests that need NATS are skipped: ${nats.reason}; install nats-server, or name one in TOKENMESH_NATS_SERVER`;
  if (process.env.TOKENMESH_SKIP_IS_FAILURE === '1') throw new Error(missing);
  process.env.TOKENMESH_NATS_SERVER = '';
  console.log(missing);
}
