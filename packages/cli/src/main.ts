#!/usr/bin/env node
import { runCli } from './run-cli.ts';

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());

process.exitCode = await runCli(process.argv.slice(2), { out: process.stdout, err: process.stderr, signal: interrupted.signal });
// what was under way may wait for seconds
if (interrupted.signal.aborted) process.exit();
