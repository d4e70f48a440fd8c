import type { Mutation } from './mutation.ts';

const of = ['observation'];
const alerts = 'deploy/prometheus/rules/alerts.yml';
const anomalies = 'deploy/prometheus/rules/anomalies.yml';
const dashboardsTest = 'test/dashboards.test.ts';
const firing = { file: dashboardsTest, title: 'sees each alert fire when it should, with each label that its text names, and only then' };
const answered = {
  file: 'test/queries-are-answered.test.ts',
  title: 'answers every query of a dashboard, a rule or a runbook, and none that asks for what is not there',
};

/** What dashboards and alerts ask Prometheus. */
export const observationMutations: readonly Mutation[] = [
  {
    of,
    file: alerts,
    find: 'max by (tokenmesh_courier) (tokenmesh_courier_connected) == 0',
    put: 'min by (tokenmesh_courier) (tokenmesh_courier_connected) == 0',
    fails: firing,
  },
  {
    of,
    file: alerts,
    find: 'absent(up{job="token-exchange"}) or absent(up{job="shop"})',
    put: 'absent(up{job=~"token-exchange|shop"})',
    fails: firing,
  },
  { of, file: alerts, find: '"metric", "$1", "__name__", "(.+)")', put: '"metric", "", "__name__", "(.+)")', fails: firing },
  { of, file: anomalies, find: 'group[6d] offset 1h)', put: 'group[6d] offset 2d)', fails: firing },
  {
    of,
    file: 'deploy/prometheus/rules/recording.yml',
    find: 'error_type=~"_OTHER|KEYS_UNAVAILABLE|EXCHANGE_OVERLOADED"',
    put: 'error_type=~"INTERNAL|UNAVAILABLE"',
    fails: answered,
  },
  {
    of,
    file: 'deploy/prometheus/rule-tests/anomalies.test.yml',
    find: 'name: CallsRefusedBurst fires\n',
    put: 'name: CallsRefusedBurst is fired\n',
    fails: firing,
  },
  {
    of,
    file: 'docs/runbooks/VerifierLagging.md',
    find: '\ntokenmesh_verifiers_lag\n',
    put: '\ntokenmesh_verifier_lag\n',
    fails: answered,
  },
  {
    of,
    file: anomalies,
    find: 'summary: "a refresh token of {{ $labels.tokenmesh_workload }} was used twice"',
    put: 'summary: "a refresh token of {{ $labels.tokenmesh_client }} was used twice"',
    fails: firing,
  },
  {
    of,
    file: 'deploy/grafana/dashboards/verifiers-and-revocation.json',
    find: '"expr": "sum by (tokenmesh_workload) (tokenmesh_verifiers)"',
    put: '"expr": "sum by (tokenmesh_workload) (tokenmesh_verifier)"',
    fails: answered,
  },
  {
    of,
    file: anomalies,
    find: 'runbook: docs/runbooks/NewEdge.md',
    put: 'runbook: docs/runbooks/NewEdges.md',
    fails: { file: dashboardsTest, title: 'say what is wrong, how bad it is, and where the runbook is' },
  },
];
