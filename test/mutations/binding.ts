import type { Mutation } from './mutation.ts';

const src = 'packages/interceptor/src';
const [binding, memory, files, tls] = [
  `${src}/incoming/binding.ts`,
  `${src}/incoming/replay-memory.ts`,
  `${src}/mesh/tls-files.ts`,
  `${src}/mesh/mesh-tls.ts`,
];
const [bindingTest, memoryTest] = [`${src}/incoming/binding.test.ts`, `${src}/incoming/replay-memory.test.ts`];
const [filesTest, tlsTest] = [`${src}/mesh/tls-files.test.ts`, `${src}/mesh/mesh-tls.test.ts`];
const [channelTest, sourceTest] = [`${src}/mesh/renewed-channel.test.ts`, `${src}/outgoing/token-source-certificate.test.ts`];
const [callsTest, exchangeTest] = [`${src}/outgoing/dpop-calls.test.ts`, `${src}/outgoing/exchange-client.test.ts`];
const [connection, connectionTest] = [`${src}/incoming/connection-certificate.ts`, `${src}/incoming/connection-certificate.test.ts`];
const meshesTest = 'services/token-exchange/src/grants/bound-meshes.test.ts';

/** Defences of the binding of tokens at services, and of what keeps it alive: proofs, nonces, renewed certificates. */
export const bindingMutations: readonly Mutation[] = [
  ...of('RFC 9449 7.1', bindingTest, [
    [binding, 'if (jkt === undefined) throw', 'if (false) throw', 'is refused with a token that is bound to no key'],
    [
      binding,
      "if (presented.scheme === 'DPoP') checkKey",
      "if (presented.scheme === 'DPoP' && cnf?.jkt) checkKey",
      'is refused with a token that is bound to no key',
    ],
  ]),
  ...of('RFC 9449 9', bindingTest, [
    [binding, '      nonce: nonces?.accepted(),\n', '', 'takes a proof with the one that it gives, and none without'],
  ]),
  ...of('RFC 9449 9', callsTest, [
    [
      `${src}/incoming/guarded-call.ts`,
      "metadata.set('dpop-nonce', nonce);",
      '',
      'challenges with use_dpop_nonce and says the nonce in the trailer dpop-nonce',
    ],
  ]),
  ...of('RFC 8705 3', bindingTest, [
    [
      binding,
      'if (thumbprint !== undefined && thumbprint !== peer',
      'if (thumbprint === "" && thumbprint !== peer',
      'uses no proof up for who lacks the rest of what the token is bound to',
    ],
  ]),
  ...of('binding', bindingTest, [
    [binding, "throw new TokenError('PROOF_INVALID', 'no DPoP proof')", 'return', 'is refused without a proof'],
    [
      binding,
      'if (net && !isWithin',
      'if (false && net && !isWithin',
      'uses no proof up for who lacks the rest of what the token is bound to',
    ],
    [binding, 'if (rule.requireBinding && !cnf) throw', 'if (false) throw', 'of a bearer token %s: %s'],
    [
      binding,
      'const { cnf, net } = token.claims;\n',
      "const { cnf, net } = token.claims;\n      if (presented.scheme === 'DPoP') checkKey(cnf?.jkt, presented, rule.method);\n",
      'uses no proof up for who lacks the rest of what the token is bound to',
    ],
  ]),
  ...of('binding', callsTest, [
    [
      `${src}/incoming/guarded-call.ts`,
      "if (this.#hasProof) metadata.remove('dpop');",
      '',
      'is answered again and again, each time with another proof, which its handler does not see',
    ],
    [`${src}/outgoing/dpop-signer.ts`, 'if (nonceGrammar.test(nonce)) nonces', 'nonces', 'takes %j for no nonce'],
    [
      `${src}/outgoing/dpop-signer.ts`,
      'nonces.get(audience)',
      '[...nonces.values()].at(-1)',
      'holds the nonce that an audience gave last in proofs for it, and in no others',
    ],
  ]),
  ...of('binding', exchangeTest, [
    [`${src}/outgoing/exchange-client.ts`, 'askedForNonce ||= wantsNonce;', '', 'asks once more for a nonce, and not again'],
    [
      `${src}/outgoing/proof-interceptor.ts`,
      'signer.rememberNonce(audience, nonce);',
      '{}',
      'asks again with the nonce that it is given and a new assertion, and keeps the nonce',
    ],
  ]),
  ...of('binding', meshesTest, [
    [
      `${src}/incoming/caller.ts`,
      "jkt: cnf.jkt ?? ''",
      "jkt: ''",
      'carries calls, acts on behalf of callers whose tokens are bound, and reads the feed with bound tokens',
    ],
    [
      `${src}/mesh/issuer-channel.ts`,
      'signer && { dpop: { signer, authority } }',
      '{}',
      'carries calls, acts on behalf of callers whose tokens are bound, and reads the feed with bound tokens',
    ],
  ]),
  ...of('RFC 9449 9', meshesTest, [
    [
      'services/token-exchange/src/server.ts',
      "...(nonceKey && { proofs: { nonce: 'required', nonceKey } }),",
      '',
      'asks callers of its own services for a nonce, the same as for a token',
    ],
  ]),
  ...of('replay memory', memoryTest, [
    [
      memory,
      'Math.max(sweptAt, memory.forgottenThrough)',
      'sweptAt',
      'refuses everything as old as what it had to forget, and nothing that is younger',
    ],
    [
      memory,
      'Math.max(sweptAt, memory.forgottenThrough)',
      'memory.forgottenThrough',
      'takes nothing for new that it forgot before the clock was set back',
    ],
    [memory, 'if (memory.size >= maxOfOneKey) shrink(memory, maxOfOneKey);', '', 'does not let one key take the room of another'],
    [
      memory,
      'if (size >= maxEntries) makeRoom();',
      '',
      'T-44: never holds more than it may, forgets of those with the most, and takes no replay',
    ],
    [
      memory,
      'if (keys.size >= maxKeys) return false;',
      'if (keys.size > maxKeys) return false;',
      'T-44: takes as many keys as it may, and further ones once others are forgotten',
    ],
    [
      memory,
      'sort((a, b) => a - b)',
      'sort((a, b) => b - a)',
      'refuses everything as old as what it had to forget, and nothing that is younger',
    ],
    [memory, ' && memory.forgottenThrough <= nowSeconds', '', 'does not forget what it refuses, when it forgets everything else of a key'],
  ]),
  ...of('certificate of a connection', connectionTest, [
    ...['remotePort', 'remoteAddress', 'localPort'].map(
      (name): Row => [
        connection,
        `    a.${name} === b.${name} &&\n`,
        '',
        'is that of the call, though it is looked for in the context of one with another %s',
      ],
    ),
    [
      connection,
      '    a.remotePort !== undefined &&\n',
      '',
      'is that of each call over a Unix socket, whose connections have no addresses to be told apart by',
    ],
    [
      connection,
      '    connection.isOpen = false;\n',
      '',
      'is not that of a connection that was closed, though another has its addresses now',
    ],
  ]),
  ...of('certificate of a connection', connectionTest, [
    [
      `${src}/incoming/call-peer.ts`,
      'certificateThumbprint(this.#call, this.#connection)',
      'certificateThumbprint(this.#call, this.#connection ?? findConnection(this.#call))',
      'is not that of a later connection with the same addresses, where it could not be told which one a call came over',
    ],
  ]),
  ...of('certificate renewal', filesTest, [
    [
      files,
      'if (!leaf.checkPrivateKey(privateKey)) throw',
      'if (false) throw',
      'keeps the old pair while a new one is half written, and takes it when it is whole',
    ],
    [files, 'if (identity.expMs <= nowMs) throw', 'if (false) throw', 'keeps the old one when the files hold %s'],
    [files, 'if (validFromDate.getTime() > nowMs) throw', 'if (false) throw', 'takes a certificate that was early once its time has come'],
    [
      files,
      'if (problem !== reported) onChange',
      'onChange',
      'says what is wrong once for as long as it is the same, and again when it comes back',
    ],
    [
      files,
      'setInterval(look, intervalMs)',
      'setInterval(() => undefined, intervalMs)',
      'finds by its interval what the file system does not report',
    ],
  ]),
  ...of('certificate renewal', tlsTest, [
    [tls, 'identityListeners.forEach(tellIdentity);', '', 'shows the new one to new connections, and goes on with those that it has'],
    [
      tls,
      'caListeners.forEach(tellCa);',
      '',
      'asks new connections for a certificate of the new authorities, and no longer of the old ones',
    ],
    [
      tls,
      "'tokenmesh.certificate': ",
      "'tokenmesh.certificate': 0 && ",
      'presents the new one with new calls, while a stream goes on over its old connection',
    ],
    [
      tls,
      'createCertificateProviderServerCredentials(provider, provider, true)',
      'createCertificateProviderServerCredentials(provider, provider, false)',
      'still refuses connections without a certificate',
    ],
  ]),
  ...of('certificate renewal', channelTest, [
    [`${src}/mesh/renewed-channel.ts`, '      stop();\n', '', 'closes every channel that it has when it is closed, and is renewed no more'],
  ]),
  ...of('certificate renewal', sourceTest, [
    [`${src}/outgoing/token-source.ts`, 'held.boundTo !== certificate()', 'false', 'obtains a token again that is bound to the one before'],
    [
      `${src}/outgoing/token-source.ts`,
      "verified && verified.claims.cnf?.['x5t#S256'] === undefined ? undefined : askedWith",
      'askedWith',
      'keeps a token that is bound to no certificate',
    ],
  ]),
];

/** File, text, what stands there instead, and the title of the test that fails. */
type Row = readonly [file: string, find: string, put: string, title: string];

function of(what: string, test: string, rows: readonly Row[]): Mutation[] {
  return rows.map(([file, find, put, title]) => ({ of: [what], file, find, put, fails: { file: test, title } }));
}
