import { describe, expect, it } from 'vitest';
import { targetOf } from './address-list.ts';

describe('targetOf', () => {
  it('leaves a single address to gRPC as it is', () => {
    expect(targetOf('localhost:7443')).toEqual({ target: 'localhost:7443', channelOptions: {} });
    expect(targetOf(['dns:///token-exchange:7443'])).toEqual({ target: 'dns:///token-exchange:7443', channelOptions: {} });
  });

  it('makes one target of several addresses, however they are written', () => {
    const { target, channelOptions } = targetOf('a:7443, 127.0.0.1:7443,[::1]:7443');
    expect(target).toBe('tokenmesh-list:a:7443,127.0.0.1:7443,[::1]:7443');
    expect(channelOptions).toEqual({ 'grpc.service_config': '{"loadBalancingConfig":[{"round_robin":{}}]}' });
    expect(targetOf(['a:7443', '127.0.0.1:7443', '[::1]:7443'])).toEqual({ target, channelOptions });
  });

  it.each(['', ',', 'a:7443,', [], ['a:7443', ''], 'a,b:7443', 'dns:///a:7443,b:7443', 'a:7443,b:port'])('refuses %j', (addresses) => {
    expect(() => targetOf(addresses)).toThrow(/tokenExchange must be host:port, or several of them/);
  });
});
