import type { Mutation } from './mutation.ts';

const interceptor = 'packages/interceptor/src';
const serverInterceptor = `${interceptor}/incoming/server-interceptor.ts`;
const guardedCall = `${interceptor}/incoming/guarded-call.ts`;
const callMetrics = `${interceptor}/call-metrics.ts`;
const metrics = `${interceptor}/metrics.ts`;
const exchange = 'services/token-exchange/src/metrics';
const callMetricsTest = `${interceptor}/call-metrics.test.ts`;
const serverMetricsTest = `${interceptor}/incoming/server-metrics.test.ts`;
const metricsTest = `${interceptor}/metrics.test.ts`;
const exchangeTest = `${exchange}/metrics.test.ts`;
const systemTest = 'test/metrics.test.ts';

/** What is measured, and that nobody outside can make time series of it. */
export const metricsMutations: readonly Mutation[] = [
  {
    of: ['metrics'],
    file: guardedCall,
    find: '    if (this.#live) metrics.ended(reason);\n    else metrics.refused(reason);\n',
    put: '    metrics.refused(reason);\n',
    fails: { file: serverMetricsTest, title: 'counts a stream while it is live, and its end by revocation, which is no refused call' },
  },
  {
    of: ['metrics'],
    file: guardedCall,
    find: '    else metrics.refused(reason);\n',
    put: '',
    fails: { file: serverMetricsTest, title: 'counts a call that is refused, and not among the streams that end' },
  },
  {
    of: ['T-37', 'metrics'],
    file: serverInterceptor,
    find: '      metrics.exempt(path);\n',
    put: '',
    fails: { file: systemTest, title: 'counts calls by how they were decided, and those that need no token apart' },
  },
  {
    of: ['metrics'],
    file: callMetrics,
    find: '% callsForEachAge === 1',
    put: '>= 0',
    fails: { file: callMetricsTest, title: 'records the age of the token of one call in 64' },
  },
  {
    of: ['metrics'],
    file: metrics,
    find: '      if (inUse !== undefined) paths.add(inUse);\n',
    put: '      paths.clear();\n      if (inUse !== undefined) paths.add(inUse);\n',
    fails: { file: metricsTest, title: 'shows how old what is known of revocations is, in which state and over which path' },
  },
  {
    of: ['metrics'],
    file: metrics,
    find: '  return () => meter.removeBatchObservableCallback(observe, gauges);\n',
    put: '  return () => {};\n',
    fails: { file: metricsTest, title: 'looks at nothing any more once the mesh is closed' },
  },
  {
    of: ['metrics'],
    file: 'services/token-exchange/src/audit/audit-operations.ts',
    find: "return live.config.workloads.has(clientId) ? clientId : '';",
    put: 'return clientId;',
    fails: {
      file: exchangeTest,
      title: 'make no time series of their own when their workload and audience are unknown, however many they are',
    },
  },
  {
    of: ['metrics'],
    file: `${exchange}/operation-metrics.ts`,
    find: "      if (kind !== 'token.refused') return;\n",
    put: '',
    fails: { file: exchangeTest, title: 'for something else than a token are no refused tokens' },
  },
  {
    of: ['metrics'],
    file: `${exchange}/observe-issuer.ts`,
    find: '    for (const { clientId } of listed) workloads.add(clientId);\n',
    put: '    workloads.clear();\n    for (const { clientId } of listed) workloads.add(clientId);\n',
    fails: { file: exchangeTest, title: 'shows how far the last verifier of each workload is behind, and 0 once it has gone' },
  },
  {
    of: ['metrics'],
    file: `${exchange}/revocation-metrics.ts`,
    find: '  for (const kind of findingKinds) countFinding(0, kind);\n',
    put: '',
    fails: { file: exchangeTest, title: 'counts what is revoked and found, from 0' },
  },
  {
    of: ['metrics'],
    file: metrics,
    find: ", 'tokenmesh.workload': workload }",
    put: ' }',
    fails: { file: metricsTest, title: 'shows several meshes of one process side by side' },
  },
];
