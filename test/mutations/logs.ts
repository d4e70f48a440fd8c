import type { Mutation } from './mutation.ts';

const source = 'services/token-exchange/src';
const limitedLog = `${source}/limited-log.ts`;
const limitedLogTest = `${source}/limited-log.test.ts`;
const refusalLog = 'services/shop/src/refusal-log.ts';
const refusalLogTest = 'services/shop/src/refusal-log.test.ts';

/** What is logged: that callers cannot flood it or hide in a flood, that a line is found from its trace, and that the suite sees a token that leaves. */
export const logMutations: readonly Mutation[] = [
  {
    of: ['logs'],
    file: limitedLog,
    find: 'return known.count <= linesPerWindow;',
    put: 'return true;',
    fails: { file: limitedLogTest, title: 'writes ten of 10 000 refusals, and how many it left out when their second is over' },
  },
  {
    of: ['logs'],
    file: limitedLog,
    find: '{reason}`;',
    put: '{event}`;',
    fails: { file: limitedLogTest, title: 'writes a refusal in a flood of those with another reason' },
  },
  {
    of: ['logs'],
    file: limitedLog,
    find: '    written.clear();\n',
    put: '',
    fails: { file: limitedLogTest, title: 'begins anew in the next second, and says nothing of one in which all was written' },
  },
  {
    of: ['logs'],
    file: limitedLog,
    find: '    close: endWindow,\n',
    put: '    close: () => {},\n',
    fails: { file: limitedLogTest, title: 'says when it is closed what it has left out until then' },
  },
  {
    of: ['logs'],
    file: `${source}/service-log.ts`,
    find: '      mixin: idsOfActiveSpan,\n',
    put: '',
    fails: {
      file: `${source}/service-log.test.ts`,
      title: 'names the span that is active, also after something was waited for, and none where there is none',
    },
  },
  {
    of: ['logs'],
    file: limitedLog,
    find: 'context.with(ROOT_CONTEXT, () => setTimeout(endWindow, windowMs).unref())',
    put: 'setTimeout(endWindow, windowMs).unref()',
    fails: { file: `${source}/service-log.test.ts`, title: 'names no span where it says how much was left out of many' },
  },
  {
    of: ['logs'],
    file: refusalLog,
    find: 'if (count <= linesPerWindow) ',
    put: '',
    fails: { file: refusalLogTest, title: 'writes ten of 10 000 refusals, and how many it left out when their second is over' },
  },
  {
    of: ['logs'],
    file: refusalLog,
    find: '    refused.clear();\n',
    put: '',
    fails: { file: refusalLogTest, title: 'begins anew in the next second, and says nothing of one in which all was written' },
  },
  {
    of: ['logs'],
    file: 'services/shop/src/main.ts',
    find: '{ ...meshOptions(process.env), onRefused: refusals.onRefused }',
    put: 'meshOptions(process.env)',
    fails: { file: 'test/three-hops-are-one-trace.test.ts', title: 'has a server span with status and reason where it is refused' },
  },
  {
    of: ['logs'],
    file: `${source}/server.ts`,
    find: 'opened.adopt(limitLog(options.log), (limited) => limited.close())',
    put: 'options.log',
    fails: {
      file: `${source}/service.test.ts`,
      title: 'does not log each of the refusals that a stranger causes, and counts those that it leaves out',
    },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: 'inspect(value, wholly)',
    put: 'JSON.stringify(value)',
    fails: {
      file: 'test/no-tokens-in-output.test.ts',
      title: 'finds a token that a test prints in %s',
      case: 'the cause of an error',
    },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: '\nwatchProcesses();\n',
    put: '\n',
    fails: {
      file: 'test/no-tokens-in-output.test.ts',
      title: 'finds a token that a process writes to its %s in two parts',
      case: 'stdout',
    },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: 'for (const output of [stdout, stderr]) look(output, args[0]);',
    put: '',
    fails: {
      file: 'test/no-tokens-in-output.test.ts',
      title: 'finds a token in what a program prints that execFileSync waits for and that fails',
    },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: '\nwatchSynchronous();\n',
    put: '\n',
    fails: {
      file: 'test/no-tokens-in-output.test.ts',
      title: 'finds a token in what a program prints that %s waits for',
      case: 'spawnSync',
    },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: '\nwatchExports();\n',
    put: '\n',
    fails: { file: 'test/no-tokens-in-output.test.ts', title: 'finds a token in an attribute of a span that is exported' },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: '\nwatchScrapes();\n',
    put: '\n',
    fails: { file: 'test/no-tokens-in-output.test.ts', title: 'finds a token in a label of a metric that is scraped' },
  },
  {
    of: ['logs'],
    file: 'test/tokens-in.ts',
    find: 'const text = carried + part;',
    put: 'const text = part;',
    fails: { file: 'test/tokens-in.test.ts', title: 'finds %s wherever it is cut in two', case: 'a token' },
  },
  {
    of: ['logs'],
    file: 'test/tokens-in.ts',
    find: 'const alignments = [0, 1, 2, 3];',
    put: 'const alignments = [0];',
    fails: {
      file: 'test/tokens-in.test.ts',
      title: 'finds %s that was encoded in base64 once more, whatever stood before it',
      case: 'an opaque token',
    },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: '\nwatchPostgres();\n',
    put: '\n',
    fails: { file: 'test/no-tokens-in-output.test.ts', title: 'finds a token in what is sent to PostgreSQL' },
  },
  {
    of: ['logs'],
    file: 'test/no-tokens-in-output.ts',
    find: '\nwatchRemoved();\n',
    put: '\n',
    fails: {
      file: 'test/no-tokens-in-output.test.ts',
      title: 'finds a token in a record in SQLite before %s removes its directory',
      case: 'rmSync',
    },
  },
  {
    of: ['logs'],
    file: 'test/faults/program.ts',
    find: ', child[stream]);',
    put: ', null);',
    fails: {
      file: 'test/faults/looked-through.test.ts',
      title: 'finds a token in what a process of a campaign writes to its %s',
      case: 'stdout',
    },
  },
  {
    of: ['logs'],
    file: 'test/faults/fault-mesh.ts',
    find: '      lookThroughDatabases(directory);\n',
    put: '',
    fails: { file: 'test/faults/looked-through.test.ts', title: 'finds a token in a record before its mesh is removed' },
  },
  {
    of: ['logs'],
    file: 'test/tokens-in-records.ts',
    find: 'const tooShort = /\\btm_(?![\\w-]{43})/g;',
    put: 'const tooShort = /\\btm_/g;',
    fails: { file: 'test/tokens-in-records.test.ts', title: 'finds an opaque token behind tm_%s', case: 'r_' },
  },
  {
    of: ['logs'],
    file: 'test/tokens-in.ts',
    find: "match.startsWith('eyJ') && /[^\\x20-\\x7e]/.test(",
    put: "match.startsWith('eyJ') && /[^\\x40-\\x7e]/.test(",
    fails: { file: 'test/tokens-in.test.ts', title: 'finds %s that was planted in a text', case: 'the header of a token' },
  },
  {
    of: ['logs'],
    file: 'test/tokens-in-records.ts',
    find: "unknown.replace(sealed, (run) => run.replaceAll('tm_', 'TM_'))",
    put: 'unknown',
    fails: {
      file: 'test/tokens-in-records.test.ts',
      title: 'leaves out a sealed value that has the prefix of an opaque token by chance, as %s',
      case: 'tm_',
    },
  },
  {
    of: ['logs'],
    file: 'test/tokens-in-records.ts',
    find: 'const sealed = /[\\w-]{100,}/g;',
    put: 'const sealed = /[\\w-]{40,}/g;',
    fails: { file: 'test/tokens-in-records.test.ts', title: 'finds an opaque token behind tm_%s', case: 'r_' },
  },
  {
    of: ['logs'],
    file: 'test/tokens-in.ts',
    find: 'match.slice(0, 19)',
    put: 'match.slice(0, 12)',
    fails: { file: 'test/tokens-in.test.ts', title: 'leaves ordinary output alone' },
  },
];
