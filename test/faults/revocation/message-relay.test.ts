import { describe, expect, it } from 'vitest';
import { createMessageRelay } from './message-relay.ts';

const message = (subject: string, sid: string, payload: string) => `MSG ${subject} ${sid} ${payload.length}\r\n${payload}\r\n`;

/** What arrives at a client when the server sends this in pieces of so many bytes. */
function connect(relay: ReturnType<typeof createMessageRelay>) {
  let received = '';
  const send = relay.relay((bytes) => {
    received += bytes.toString('latin1');
  });
  return {
    received: () => received,
    send(text: string, pieces = text.length) {
      for (let at = 0; at < text.length; at += pieces) send(Buffer.from(text.slice(at, at + pieces), 'latin1'));
    },
  };
}

describe('a relay of messages', () => {
  it.each([1, 3, 1_000])('passes everything as it is, in pieces of %d bytes, and knows the messages in it', (pieces) => {
    const relay = createMessageRelay();
    const client = connect(relay);
    const headers = 'NATS/1.0\r\nNats-Msg-Id: e:1\r\n\r\n';
    const text = `INFO {}\r\nPING\r\n${message('a.events', '1', 'x\r\ny')}HMSG a.events 1 ${headers.length} ${headers.length + 2}\r\n${headers}zz\r\nPONG\r\n`;
    client.send(text, pieces);
    expect(client.received()).toBe(text);
    expect(relay.seen.map(({ subject, payload }) => [subject, String(payload)])).toEqual([
      ['a.events', 'x\r\ny'],
      ['a.events', 'zz'],
    ]);
  });

  it('loses, repeats and delivers late what it is told to, and nothing else', async () => {
    const relay = createMessageRelay();
    const client = connect(relay);
    relay.set(({ payload }) => ({ a: 'lose', b: 'repeat', c: 1 })[String(payload)] as 'lose' | 'repeat' | number);
    client.send(`${['a', 'b', 'c', 'd'].map((payload) => message('s', '1', payload)).join('')}PING\r\n`);
    const [b, c, d] = ['b', 'c', 'd'].map((payload) => message('s', '1', payload));
    expect(client.received()).toBe(`${b}${b}${d}PING\r\n`);
    while (client.received() !== `${b}${b}${d}PING\r\n${c}`) await new Promise((resolve) => setImmediate(resolve));
    relay.set(undefined);
    client.send(message('s', '1', 'a'));
    expect(client.received().endsWith(message('s', '1', 'a'))).toBe(true);
  });

  it('delivers what nobody sent to those who are subscribed, under their own numbers', () => {
    const relay = createMessageRelay();
    const [one, other, none] = [connect(relay), connect(relay), connect(relay)];
    one.send(message('s', '1', 'x'));
    other.send(message('s', '7', 'x'));
    relay.inject({ subject: 's', payload: Buffer.from('forged') });
    expect(one.received()).toBe(message('s', '1', 'x') + message('s', '1', 'forged'));
    expect(other.received()).toBe(message('s', '7', 'x') + message('s', '7', 'forged'));
    expect(none.received()).toBe('');
    expect(relay.seen).toHaveLength(2);
  });

  it('forgets a message after five minutes', () => {
    let nowMs = 0;
    const relay = createMessageRelay(() => nowMs);
    const client = connect(relay);
    client.send(message('s', '1', 'old'));
    nowMs = 200_000;
    client.send(message('s', '1', 'newer'));
    nowMs = 300_000;
    expect(relay.seen.map(({ payload }) => String(payload))).toEqual(['old', 'newer']);
    nowMs = 300_001;
    expect(relay.seen.map(({ payload }) => String(payload))).toEqual(['newer']);
  });
});
