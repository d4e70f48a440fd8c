import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { EventLog } from '../event-log.ts';
import { type Config, loadConfig } from './config.ts';
import { ConfigError } from './config-problem.ts';

export interface ConfigWatcher {
  /** Looks at the files at once, and loads them even when they are as they were. Resolves when that is done; never rejects. */
  reload(): Promise<void>;
  /** Stops watching and waits for what is under way. */
  close(): Promise<void>;
}

export interface ConfigWatcherOptions {
  /** The configuration that is in force already. */
  readonly inForce: Config;
  /** Puts a configuration that holds together into force. When it rejects, it is asked again with the next look. */
  readonly apply: (config: Config) => Promise<unknown>;
  /** Told of `config.rejected` with the lines that `check` prints, and of `config.failed` when a good one could not be put into force. */
  readonly log: EventLog;
  /** Files are looked at this often, in milliseconds, besides what the file system reports; default 2000. */
  readonly intervalMs?: number;
}

/** The file system reports the parts of one write one by one: a file is looked at when it has been quiet for this long. */
const quietMs = 100;

/**
 * Watches a configuration and every file that it names, and applies it whenever their content changes.
 *
 * Content is what counts, not the time of the last write: a symbolic link that is turned to another directory, as Kubernetes does it, is a change, a
 * `touch` is none. A configuration that does not hold together changes nothing and is said once for as long as its problems are the same.
 */
export function watchConfig(file: string, { inForce, apply, log, intervalMs = 2000 }: ConfigWatcherOptions): ConfigWatcher {
  const opened = read(file);
  let watched = opened.files;
  /** Of what was dealt with last; `undefined` when it has to be tried again. */
  let dealtWith: string | undefined = isDeepStrictEqual(opened.config, inForce) ? opened.content : undefined;
  let said = '';
  let looking: Promise<void> = Promise.resolve();
  let isClosed = false;
  let quiet: NodeJS.Timeout | undefined;
  let watchers: readonly FSWatcher[] = [];

  async function look(isForced: boolean): Promise<void> {
    if (isClosed || (!isForced && contentOf(watched) === dealtWith)) return;
    const { config, problems, files, content } = read(file);
    watched = files;
    watchFolders();
    try {
      if (!config) throw new ConfigError(problems);
      await apply(config);
      [dealtWith, said] = [content, ''];
    } catch (error) {
      const isRejected = error instanceof ConfigError;
      dealtWith = isRejected ? content : undefined;
      const text = `${isRejected} ${(error as Error).message}`; // whatever is thrown here is an Error
      if (text === said && !isForced) return;
      said = text;
      if (isRejected) log.error({ event: 'config.rejected', file, problems: error.problems });
      else log.error({ event: 'config.failed', file, err: error });
    }
  }

  function lookSoon(isForced: boolean): Promise<void> {
    looking = looking.then(() => look(isForced));
    return looking;
  }

  // what the system does not report, on a network file system say, the interval finds
  function watchFolders(): void {
    for (const watcher of watchers) watcher.close();
    watchers = [...new Set([...watched].map(dirname))].flatMap((folder) => {
      try {
        const watcher = watch(folder, { persistent: false }, () => {
          clearTimeout(quiet);
          quiet = setTimeout(() => lookSoon(false), quietMs).unref();
        });
        return watcher.on('error', () => watcher.close());
      } catch {
        return [];
      }
    });
  }

  watchFolders();
  const timer = setInterval(() => lookSoon(false), intervalMs);
  timer.unref();
  return {
    reload: () => lookSoon(true),
    async close() {
      isClosed = true;
      clearInterval(timer);
      clearTimeout(quiet);
      for (const watcher of watchers) watcher.close();
      await looking;
      for (const watcher of watchers) watcher.close();
    },
  };
}

interface Reading {
  readonly config?: Config;
  readonly problems: readonly string[];
  readonly files: ReadonlySet<string>;
  readonly content: string;
}

/** Reads until what was read is what is there: a write may come in between, and must not be taken for dealt with. */
function read(file: string): Reading {
  let content = '';
  for (;;) {
    const files = new Set<string>();
    const loaded = load(file, files);
    const after = contentOf(files);
    if (after === content) return { ...loaded, files, content };
    content = after;
  }
}

function load(file: string, files: Set<string>): Pick<Reading, 'config' | 'problems'> {
  try {
    return { config: loadConfig(file, files), problems: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.problems };
  }
}

/** A digest of files, of which some may not be there. */
function contentOf(files: ReadonlySet<string>): string {
  const hash = createHash('sha256');
  for (const file of [...files].sort()) {
    hash.update(`${file}\0`);
    try {
      hash.update(createHash('sha256').update(readFileSync(file)).digest());
    } catch {
      hash.update('-');
    }
  }
  return hash.digest('base64url');
}
