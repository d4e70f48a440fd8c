// `pnpm images`: see --help.
import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { layOutLocalBase } from './local-base.ts';

const help = `pnpm images

Builds the images of the Dockerfile with buildah, without Docker and without a registry of images: in the place of the official image of Node it puts one
that is made of this machine's. Then runs programs in the images, as the images say, and looks at what they are. As root, on Linux with glibc; takes
minutes. Nothing is left behind.

Exit code 1 when an image could not be built or is not as it should be.
`;

const repository = fileURLToPath(new URL('../..', import.meta.url));
const user = 1000;

const { values } = parseArgs({ options: { help: { type: 'boolean', default: false } } });
if (values.help) process.stdout.write(help);
else buildAndCheck();

function buildAndCheck(): void {
  const directory = mkdtempSync(join(tmpdir(), 'tokenmesh-images-'));
  const storage = ['--root', join(directory, 'storage'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs'];
  const buildah = (...args: readonly string[]) =>
    execFileSync('buildah', [...storage, ...args], {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, BUILDAH_ISOLATION: 'chroot' },
    });
  try {
    buildBase(buildah, join(directory, 'base'));
    for (const service of ['token-exchange', 'shop']) {
      say(`building ${service}`);
      buildah(
        'bud',
        '--format',
        'docker',
        '--pull-never',
        '--network',
        'host',
        '--quiet',
        '--build-arg',
        `SERVICE=${service}`,
        '-t',
        service,
        '.',
      );
      checkImage(buildah, service);
    }
    checkJob(buildah, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Buildah = (...args: readonly string[]) => string;

function buildBase(buildah: Buildah, root: string): void {
  const name = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(repository, 'Dockerfile'), 'utf8'))?.[1];
  say(`making a base in the place of ${name}`);
  layOutLocalBase(root);
  const container = buildah('from', 'scratch').trim();
  buildah('copy', '--quiet', container, root, '/');
  // as this machine trusts whoever it reaches the registry of packages through
  buildah('config', '--env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt', container);
  buildah('commit', '--quiet', '--rm', container, `docker.io/library/${name}`);
}

function checkImage(buildah: Buildah, service: string): void {
  const { Docker: image } = JSON.parse(buildah('inspect', '--type', 'image', service)) as {
    readonly Docker: {
      readonly config: {
        readonly User: string;
        readonly Entrypoint: readonly string[];
        readonly Healthcheck?: { readonly Test: readonly string[] };
      };
    };
  };
  const { User, Entrypoint, Healthcheck } = image.config;
  check(`${service} is user ${user}`, User === `${user}:${user}`);
  check(`${service} has a healthcheck`, Healthcheck?.Test[0] === 'CMD');
  const container = buildah('from', '--pull-never', service).trim();
  const run = (...args: readonly string[]) => buildah('run', container, ...args);
  check(`${service} runs as that user`, run('id', '-u').trim() === String(user));
  check(
    `${service} cannot change its own files`,
    fails(() => run('test', '-w', '/mesh/package.json')),
  );
  const [, program = '', ...args] = Healthcheck?.Test ?? [];
  check(
    `${service}'s healthcheck runs, and says that nothing serves`,
    fails(() => run(program, ...args)) && run(program, String(args[0]), '--version').trim() !== '',
  );
  const main = service === 'shop' ? 'services/shop/compose/main.ts' : 'services/token-exchange/src/main.ts';
  check(`${service} starts`, run(...Entrypoint, main, '--help').includes('Usage: '));
  buildah('rm', container);
}

/** Runs the first job of docker-compose.yml in its image. */
function checkJob(buildah: Buildah, directory: string): void {
  const [credentials, data] = [join(directory, 'credentials'), join(directory, 'data')];
  for (const volume of [credentials, data]) {
    mkdirSync(volume);
    chownSync(volume, user, user);
  }
  const container = buildah('from', '--pull-never', 'shop').trim();
  const volumes = ['-v', `${credentials}:/credentials`, '-v', `${data}:/data`, '-v', `${join(repository, 'deploy/nats')}:/deploy/nats:ro`];
  const command = ['services/shop/compose/main.ts', '--credentials', '/credentials', '--data', '/data', '--nats', '/deploy/nats'];
  const said = buildah('run', ...volumes, container, 'node', ...command);
  check('the job credentials makes what the others need', said.includes('credentials are there'));
}

function fails(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}

function check(claim: string, holds: boolean): void {
  say(`${holds ? 'ok     ' : 'failed '} ${claim}`);
  if (!holds) process.exitCode = 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
