import { describe, expect, it } from 'vitest';
import { createMemoryLink } from './memory-link.ts';

describe('a link in memory', () => {
  it('is up from the start, and tells when that changes', async () => {
    const link = createMemoryLink();
    const told: boolean[] = [];
    const stop = link.onChange(() => told.push(link.isUp));
    await link.whenUp();
    for (const isUp of [true, false, false, true]) link.set(isUp);
    stop();
    link.set(false);
    expect(told).toEqual([false, true]);
  });

  it('lets wait until it is up', async () => {
    const link = createMemoryLink();
    link.set(false);
    const up = link.whenUp(new AbortController().signal);
    link.set(true);
    await up;
  });

  it.each(['before', 'while'])('ends the wait of those whose signal is aborted %s they wait', async (when) => {
    const link = createMemoryLink();
    link.set(false);
    const aborting = new AbortController();
    if (when === 'before') aborting.abort(new Error('enough'));
    const waiting = expect(link.whenUp(aborting.signal)).rejects.toThrow('enough');
    aborting.abort(new Error('enough'));
    await waiting;
  });
});
