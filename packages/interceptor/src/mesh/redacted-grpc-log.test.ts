import { Metadata, setLogger } from '@grpc/grpc-js';
import { log } from '@grpc/grpc-js/build/src/logging.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestIssuer } from '../test-issuer.ts';
import { redactGrpcLog } from './redacted-grpc-log.ts';

const error = 2;
const compact = createTestIssuer().token();
let logged: string[];

beforeEach(() => {
  logged = [];
  setLogger({ error: (...values: unknown[]) => logged.push(values.join(' ')) });
  redactGrpcLog();
});

afterEach(() => setLogger(console));

describe('what grpc-js logs', () => {
  it.each([`Bearer ${compact}\x80`, `Bearer ${compact.slice(0, 30)}\xa0${compact.slice(30)}`, `Bearer\t${compact}`, `\x80${compact}`])(
    'T-50: names a metadata entry that it rejects, and keeps its value to itself',
    (value) => {
      expect(Metadata.fromHttp2Headers({ authorization: value, 'x-other': 'kept' }).getMap()).toEqual({ 'x-other': 'kept' });
      expect(Metadata.fromHttp2Headers({ 'tokenmesh-token': value }).getMap()).toEqual({});
      expect(logged).toEqual(['Failed to add metadata entry authorization', 'Failed to add metadata entry tokenmesh-token']);
    },
  );

  it('T-50: holds no credential where it prints metadata', () => {
    const metadata = JSON.stringify({
      authorization: [`Bearer ${compact}`],
      dpop: [compact],
      'tokenmesh-token': ['DPoP not-of-this-mesh'],
      'x-opaque': [`tm_${'A'.repeat(43)}`],
      id: ['7'],
    });
    log(error, `Received metadata ${metadata}`, { authorization: 'DPoP not-of-this-mesh' });
    expect(logged).toEqual([
      `Received metadata {"authorization":["Bearer …"],"dpop":["…"],"tokenmesh-token":["DPoP …"],"x-opaque":["…"],"id":["7"]} { authorization: 'DPoP …' }`,
    ]);
  });

  it('goes on to the logger that was set before, once, however often it is asked for', () => {
    redactGrpcLog();
    log(error, 'a warning');
    expect(logged).toEqual(['a warning']);
  });
});
