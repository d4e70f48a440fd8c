import type { Mutation } from './mutation.ts';

const src = 'packages/interceptor/src';
const verifyCall = `${src}/incoming/verify-call.ts`;
const introspector = `${src}/incoming/introspector.ts`;
const liveCalls = `${src}/incoming/live-calls.ts`;
const staleness = `${src}/incoming/staleness.ts`;
const healthReport = `${src}/mesh/health-report.ts`;
const stalenessTest = `${src}/incoming/staleness.test.ts`;
const liveCallsTest = `${src}/incoming/live-calls.test.ts`;
const liveCallsInSlicesTest = `${src}/incoming/live-calls-in-slices.test.ts`;
const healthTest = `${src}/mesh/health-report.test.ts`;
const row = 'with revocations %s, of a %s method, and an answer that is %s: %s';

/** What is decided, ended and reported while revocations were not heard of for a while. */
export const stalenessMutations: readonly Mutation[] = [
  {
    of: ['staleness'],
    file: staleness,
    find: "if (freshness.state === 'empty') return 'closed';",
    put: "if (freshness.state === 'empty') return 'asked';",
    fails: { file: stalenessTest, title: row, case: 'with revocations never heard, of a critical method, and an answer that is active' },
  },
  {
    of: ['staleness'],
    file: staleness,
    find: "rule.class === 'standard' && ",
    put: '',
    fails: { file: stalenessTest, title: row, case: 'with revocations stale, of a critical method, and an answer that is inactive' },
  },
  {
    of: ['staleness'],
    file: staleness,
    find: 'ageMs <= (rule.maxBlindMs ?? maxBlindMs)',
    put: 'ageMs <= maxBlindMs',
    fails: {
      file: stalenessTest,
      title: 'goes by the times of the method: %s',
      case: 'an age of 9 s and more where it goes on for 9 s',
    },
  },
  {
    of: ['staleness'],
    file: staleness,
    find: " && ageMs <= (rule.maxBlindMs ?? maxBlindMs) ? 'tolerated'",
    put: " ? 'tolerated'",
    fails: { file: stalenessTest, title: row, case: 'with revocations beyond G, of a standard method, and an answer that is inactive' },
  },
  {
    of: ['staleness'],
    file: verifyCall,
    find: '    if (asked.ageMs() > Math.max(maxAgeMs, shortestWordMs)) throw tooStale(rule);\n',
    put: '',
    fails: { file: stalenessTest, title: row, case: 'with revocations stale, of a critical method, and an answer that is late' },
  },
  {
    of: ['staleness'],
    file: verifyCall,
    find: "    checkRevocation(entry);\n    metrics.stale(rule.method, 'introspected');",
    put: "    metrics.stale(rule.method, 'introspected');",
    fails: { file: stalenessTest, title: 'does not outlive a revocation that comes while it is on its way' },
  },
  {
    of: ['staleness'],
    file: verifyCall,
    find: "    checkTimes(token.claims, now(), clockToleranceSeconds);\n    checkRevocation(entry);\n    metrics.stale(rule.method, 'introspected');",
    put: "    checkRevocation(entry);\n    metrics.stale(rule.method, 'introspected');",
    fails: { file: stalenessTest, title: 'does not outlive the token while it is on its way' },
  },
  {
    of: ['staleness'],
    file: introspector,
    find: 'Math.max(now() - wallMs, monotonicNow() - monotonicMs)',
    put: 'now() - wallMs',
    fails: { file: stalenessTest, title: 'is not kept for longer because the clock was set back' },
  },
  {
    of: ['staleness'],
    file: introspector,
    find: 'lastFailure.ageMs() < restAfterFailureMs',
    put: 'false',
    fails: {
      file: `${src}/incoming/introspector.test.ts`,
      title: 'an issuer that could not be asked is left alone for 100 ms, and asked again then',
    },
  },
  {
    of: ['staleness'],
    file: introspector,
    find: 'Math.min(maxAgeMs, keepMs)',
    put: 'maxAgeMs',
    fails: { file: stalenessTest, title: 'is kept for a second, and not a millisecond longer' },
  },
  {
    of: ['staleness'],
    file: verifyCall,
    find: "        metrics.stale(rule.method, 'tolerated');\n",
    put: '',
    fails: {
      file: `${src}/call-metrics.test.ts`,
      title: 'counts the calls that were decided while revocations were stale, by method and decision',
    },
  },
  {
    of: ['live streams'],
    file: liveCalls,
    find: 'seen !== revocations && !closed;',
    put: 'seen === -1 && !closed;',
    fails: { file: liveCallsTest, title: 'ends a stream that it had passed already when its revocation came' },
  },
  {
    of: ['live streams'],
    file: liveCalls,
    find: 'if (performance.now() < sliceEndsAt) continue;',
    put: 'if (!closed) continue;',
    fails: {
      file: liveCallsTest,
      title: 'lets other work of the process go on while it ends many streams that %s',
      case: 'one revocation covers',
    },
  },
  {
    of: ['live streams'],
    file: liveCalls,
    find: '        over.add(this);\n        void endOver();\n',
    put: '        this.expire();\n',
    fails: {
      file: liveCallsTest,
      title: 'lets other work of the process go on while it ends many streams that %s',
      case: 'end with their token',
    },
  },
  {
    of: ['live streams'],
    file: liveCalls,
    find: '      over.delete(this);\n      this.token = token;\n',
    put: '      this.token = token;\n',
    fails: { file: liveCallsTest, title: 'lets a stream live on that is renewed before its end has its turn' },
  },
  {
    of: ['live streams'],
    file: liveCalls,
    find: '[visit, sliceEndsAt] = [beginSlice(), performance.now() + sliceMs];',
    put: 'sliceEndsAt = performance.now() + sliceMs;',
    fails: { file: liveCallsInSlicesTest, title: 'looks at a token again after others had their turn' },
  },
  {
    of: ['live streams'],
    file: liveCalls,
    find: '{token.claims.iss}',
    put: '{token.claims.aud}',
    fails: {
      file: liveCallsInSlicesTest,
      title: 'judges each method once for each issuer, and ends the streams of those alone that may not go on',
    },
  },
  {
    of: ['live streams'],
    file: liveCalls,
    find: 'asked: false',
    put: 'asked: true',
    fails: { file: liveCallsTest, title: 'ends a call when calls of its method are %s, not when they are tolerated', case: 'are asked' },
  },
  {
    of: ['live streams'],
    file: `${src}/mesh/issuer-channel.ts`,
    find: '      callInvocationTransformer: noteStreamChannel,\n',
    put: '',
    fails: {
      file: 'test/streams-outlive-their-tokens.test.ts',
      title: 'outlive the tokens that they were opened with, the feed among them, and still end when these are taken back',
    },
  },
  {
    of: ['health'],
    file: healthReport,
    find: 'report(isReady && canDecide());',
    put: 'report(canDecide());',
    fails: { file: healthTest, title: 'sets the services that it is told' },
  },
  {
    of: ['health'],
    file: healthReport,
    find: "freshness.state !== 'empty' && !(unlessBlind && freshness.ageMs > from.maxBlindMs)",
    put: "freshness.state !== 'empty' && freshness.ageMs <= from.maxBlindMs",
    fails: {
      file: healthTest,
      title: 'stays SERVING while revocations are older than standard methods take, unless it is told otherwise',
    },
  },
];
