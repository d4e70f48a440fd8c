import type { Mutation } from './mutation.ts';

const deploy = 'deploy/nats';
const probe = 'packages/revocation/src/nats/probe.ts';
const doctor = 'packages/cli/src/doctor';
const doctorTest = `${doctor}/examine-nats.test.ts`;
const deployedTest = 'packages/cli/src/deployed-nats.test.ts';

const inOrder = {
  file: doctorTest,
  title:
    'T-51 finds the deployed configuration in order: of 25 subjects of JetStream’s API none works for a verifier, three for token-exchange',
};
const notices = (mistake: string) => ({ file: doctorTest, title: '%s, and nothing else', case: mistake });

/** Defences of deploy/nats, and of `tokenmesh doctor`, which shows that they are there. */
export const courierMutations: readonly Mutation[] = [
  {
    of: ['T-51'],
    file: `${deploy}/permissions/verifier.conf`,
    find: 'publish: { deny: ">" }',
    put: 'publish: { deny: "tokenmesh.>" }',
    fails: inOrder,
  },
  {
    of: ['T-51'],
    file: `${deploy}/permissions/verifier.conf`,
    find: '"tokenmesh.*.revocation.checkpoints"] }',
    put: '"tokenmesh.*.revocation.checkpoints", "_INBOX.>"] }',
    fails: inOrder,
  },
  {
    of: ['T-51'],
    file: `${deploy}/permissions/issuer.conf`,
    find: '"$JS.API.STREAM.INFO.*"',
    put: '"$JS.API.STREAM.*.*"',
    fails: inOrder,
  },
  {
    of: ['T-51'],
    file: `${deploy}/mesh.conf`,
    find: '  verify: true\n  timeout: 5\n}\n',
    put: '  verify: true\n  timeout: 5\n}\nallow_non_tls: true\n',
    fails: { file: deployedTest, title: 'does not have %s', case: 'allow_non_tls' },
  },
  {
    of: ['T-51'],
    file: 'packages/revocation/src/nats/server-version.ts',
    find: "['2.11', 16]",
    put: "['2.11', 15]",
    fails: { file: doctorTest, title: 'T-51 nats-server %s is %s', case: '2.11.15' },
  },
  {
    of: ['T-52'],
    file: probe,
    find: 'if (error.isAuthError?.())',
    put: "if (error.message === '')",
    fails: { file: deployedTest, title: 'T-52 that was never in the configuration does not get in' },
  },
  {
    of: ['doctor'],
    file: probe,
    find: "const noRequest = '{';",
    put: "const noRequest = '';",
    fails: { file: doctorTest, title: 'changes nothing where everything is allowed: stream, messages and consumers stay' },
  },
  {
    of: ['doctor'],
    file: probe,
    find: "stored.set('Nats-Expected-Stream', noStream);",
    put: '',
    fails: { file: doctorTest, title: 'changes nothing where everything is allowed: stream, messages and consumers stay' },
  },
  {
    of: ['doctor'],
    file: `${doctor}/permission-checks.ts`,
    find: 'await probe.findDeniedSubscribe(others, queue)',
    put: 'await probe.findDeniedSubscribe(others)',
    fails: notices('a verifier that hears more in a queue group'),
  },
  {
    of: ['doctor'],
    file: `${doctor}/permission-checks.ts`,
    find: 'const surplus = except(except(api, denied), needed);',
    put: 'const surplus: readonly string[] = [];',
    fails: notices('a token-exchange that may purge'),
  },
  {
    of: ['doctor'],
    file: `${doctor}/nats-server-checks.ts`,
    find: '    await probe.close();\n    return failed(open);\n',
    put: '    await probe.close();\n    return ok(open);\n',
    fails: { file: doctorTest, title: 'notices somebody who is let in although the server says that it asks' },
  },
  {
    of: ['doctor'],
    file: `${doctor}/varz-checks.ts`,
    find: 'if (!authRequired) open.push(name);',
    put: '',
    fails: { file: doctorTest, title: 'a cluster whose servers do not authenticate, and lets one pass whose servers do' },
  },
  {
    of: ['doctor'],
    file: `${doctor}/issuer-checks.ts`,
    find: 'if (n > head.n) return failed',
    put: 'if (n < 0) return failed',
    fails: { file: `${doctor}/issuer-checks.test.ts`, title: '%s', case: 'is ahead' },
  },
  {
    of: ['T-51'],
    file: 'deploy/nats/nats-cluster.conf',
    find: '    verify: true\n',
    put: '',
    fails: {
      file: 'packages/cli/src/deployed-nats.test.ts',
      title: 'has one password: what the servers of a cluster know one another by, beside their certificates',
    },
  },
];
