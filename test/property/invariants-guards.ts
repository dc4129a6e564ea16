/** Every guard of the relay's invariants, how it is taken out, and the test that fails then. */

export interface Guard {
  /** What holds because of it. */
  rule: string
  /** File of the guard, and the edits that take it out; each text stands there exactly once. */
  source: string
  edits: readonly (readonly [find: string, replace: string])[]
  /** File and title of a test that fails without it. */
  test: readonly [file: string, title: string]
}

export interface Invariant {
  /** As DESIGN section 7 has it. */
  name: string
  guards: readonly Guard[]
}

const relay = (file: string) => `src/relay/${file}.ts`
const tests = (file: string, title: string): Guard['test'] => [`src/relay/${file}.test.ts`, title]

const nothingLost: Guard[] = [
  {
    rule: 'the store answers when the group is committed',
    source: 'src/store/sqlite/group.ts',
    edits: [["database.run('COMMIT')", "database.run('ROLLBACK')"]],
    test: [
      'src/store/sqlite/durability.test.ts',
      'loses nothing that was acknowledged and leaves nothing half done',
    ],
  },
  {
    rule: 'an envelope is acknowledged and published when the store has answered',
    source: relay('accept'),
    edits: [
      [
        'const result = await store.accept(record)',
        "void store.accept(record).catch(() => {})\n    const result = { outcome: 'accepted' as const, seq: 1, deliveries: [] }",
      ],
    ],
    test: tests(
      'accept',
      'nothing is published live before it is durable, and what could not be kept is not',
    ),
  },
  {
    rule: 'a gateway that stops turns frames away instead of refusing them for good',
    source: relay('relay'),
    edits: [["if (state !== 'running')", "if (state === 'new')"]],
    test: tests('accept', 'a relay that has stopped takes nothing, so that networks keep what they have'),
  },
  {
    rule: 'deliveries that an earlier run left open are taken up',
    source: relay('outbox'),
    edits: [['walkOpen(0, async', 'walkOpen(Number.MAX_SAFE_INTEGER, async']],
    test: tests(
      'outbox',
      'a restart takes up what was left: pending is sent, what was in flight is uncertain first',
    ),
  },
  {
    rule: 'the cursor of a history is the start of the walk',
    source: relay('reconcile'),
    edits: [['CURSOR, String(startedAt)', 'CURSOR, String(clock.now())']],
    test: tests(
      'reconcile',
      'the cursor is the start of the last completed walk, never the time of a message',
    ),
  },
  {
    rule: 'the cursor moves when the walk has ended, not before',
    source: relay('reconcile'),
    edits: [
      [
        'const pairs = pairsSince(',
        'await store.setAdapterValue(network, CURSOR, String(startedAt))\n    const pairs = pairsSince(',
      ],
    ],
    test: tests(
      'reconcile',
      'a walk that fails, or whose frames could not be kept, leaves the cursor where it was',
    ),
  },
  {
    rule: 'a new connection is reason for a walk',
    source: relay('relay'),
    edits: [
      ["if (report.state === 'connected' && before !== 'connected') reconciler.connected(network)", ''],
    ],
    test: tests(
      'reconcile',
      'what came during an outage is fetched on the new connection, without waiting for the timer',
    ),
  },
  {
    rule: 'a copy that lacks a recipient’s key wraps does not take the id',
    source: relay('checks'),
    edits: [['if (opens.includes(false))', 'if (opens.length < 0)']],
    test: tests('dedup', 'a crippled copy does not take the id of an envelope that was not seen yet'),
  },
  {
    rule: 'a copy that is not faithful settles no delivery',
    source: relay('arrivals'),
    edits: [['if (!(await isFaithful(sealed, delivery))) continue', '']],
    test: tests('dedup', 'a copy without the recipient’s wraps, or altered, stands for nothing'),
  },
  {
    rule: 'what was heard before its sender posts it goes on to strangers then',
    source: relay('strangers'),
    edits: [['if (elsewhere.length === 0) return known', 'return known']],
    test: tests(
      'accept',
      'what was heard before its sender posts it goes on to strangers then, with all key wraps',
    ),
  },
  {
    rule: 'a certain failure on one network of a fallback route activates the next',
    source: relay('fallback'),
    edits: [['if (next) await activate(next.id)', '']],
    test: tests('fallback', 'certain failures go down the order one network at a time'),
  },
  {
    rule: 'tries are counted in the store',
    source: relay('dispatch'),
    edits: [['attempt: item.attempt + 1,', '']],
    test: tests(
      'outbox',
      'the intent row exists before the adapter is called, and every retry has the same transaction id',
    ),
  },
]

const onceInAnInbox: Guard[] = [
  {
    rule: 'the store takes an id once',
    source: 'src/store/sqlite/operations/envelopes.ts',
    edits: [['if (taken !== null) {', 'if (taken !== null && taken.seq < 0) {']],
    test: [
      'src/store/sqlite/operations/envelopes.test.ts',
      'accepts each of 100 ids exactly once out of 500 parallel',
    ],
  },
  {
    rule: 'a wallet that is sender and recipient has one item',
    source: 'src/store/sqlite/operations/envelopes.ts',
    edits: [
      [
        'for (const [walletId, direction] of holders) {',
        'for (const { wallet, direction } of record.inbox) {\n    const walletId = database.walletId(wallet, record.receivedAt)',
      ],
    ],
    test: [
      'src/store/sqlite/operations/envelopes.test.ts',
      'keeps one inbox item for a wallet that writes to itself',
    ],
  },
]

const sentOnce: Guard[] = [
  {
    rule: 'a delivery is claimed in the store before it is sent',
    source: relay('dispatch'),
    edits: [["if (!moved || !delivery) return 'done'", "if (!delivery) return 'done'"]],
    test: tests('dedup', 'a delivery that was settled while it queued is not claimed any more'),
  },
  {
    rule: 'an endpoint at which the frame was heard has it already',
    source: relay('route'),
    edits: [['const present = heardAt !== null &&', 'const present = heardAt !== null && now < 0 &&']],
    test: tests(
      'route',
      'the endpoint at which it was heard has it; only the same network and address count',
    ),
  },
  {
    rule: 'a copy heard later at an endpoint settles the delivery to it',
    source: relay('arrivals'),
    edits: [['await settle(delivery, remoteId, sent !== null)', '']],
    test: tests('dedup', 'a copy that arrives where a delivery waits makes the send needless'),
  },
  {
    rule: 'an uncertain send is looked up before any other',
    source: relay('dispatch'),
    edits: [['if (item.uncertain) {', 'if (item.uncertain && item.lookups < 0) {']],
    test: tests('outbox', 'an uncertain send is looked up, and not sent again when it had arrived'),
  },
  {
    rule: 'while the look-up fails nothing is sent',
    source: relay('dispatch'),
    edits: [
      [
        "if (item.lookups >= retry.maxAttempts) return give(item, 'dead', 'outcome-unknown')",
        "return 'resend'",
      ],
    ],
    test: tests('outbox', 'while the look-up fails nothing is sent'),
  },
  {
    rule: 'what was in flight at a crash is uncertain',
    source: relay('outbox'),
    edits: [["to: 'uncertain',", "to: 'pending',"]],
    test: tests(
      'outbox',
      'a restart takes up what was left: pending is sent, what was in flight is uncertain first',
    ),
  },
  {
    rule: 'an answer after the deadline still counts',
    source: relay('dispatch'),
    edits: [["if (!('remoteIds' in receipt)) return\n", 'return\n']],
    test: tests('outbox', 'an adapter that ignores its signal loses its slot; its late answer still counts'),
  },
  {
    rule: 'the transaction id follows from envelope, network and address',
    source: relay('route'),
    edits: [
      [
        "H('causeway/transaction/1', envelopeId, network, address)",
        "H('causeway/transaction/1', envelopeId, network, address + Math.random())",
      ],
    ],
    test: tests(
      'route',
      'transaction ids are 32 hex characters that follow from envelope, network and address',
    ),
  },
  {
    rule: 'an acknowledgement makes the rest of a fallback route needless',
    source: relay('fallback'),
    edits: [['await supersede(other.id, member.network)', '']],
    test: tests('fallback', 'an acknowledgement in time leaves the next network out'),
  },
  {
    rule: 'after a crash a fallback route is not run twice',
    source: relay('dispatch'),
    edits: [
      ['if (item.recovered && (await fallback.covered(item)))', 'if (item.recovered && item.lookups < 0)'],
    ],
    test: tests('fallback', 'a crash between the acknowledgement and its consequences does not send twice'),
  },
  {
    rule: 'a shared address gets one copy',
    source: relay('dispatch'),
    edits: [
      [
        'if ((item.shared || item.recovered) && (await takeFromTwin(item)))',
        'if (item.shared && item.lookups < 0)',
      ],
    ],
    test: tests(
      'relay',
      'two recipients at one shared address get one copy, and both deliveries are acknowledged',
    ),
  },
  {
    rule: 'loop guard, layer 1: transaction id',
    source: relay('loop-guard'),
    edits: [['if (transactionId === null) return null', 'return null']],
    test: tests(
      'dedup',
      'layer 1: the transaction id tells an echo where the network says neither address nor known',
    ),
  },
  {
    rule: 'loop guard, layer 2: alias of the network’s message id',
    source: relay('loop-guard'),
    edits: [['store.envelopeOfRemote(network, remoteId)', 'store.envelopeOfRemote(remoteId, network)']],
    test: tests('dedup', 'the layers answer for themselves'),
  },
  {
    rule: 'aliases are written with the acknowledgement',
    source: 'src/store/sqlite/operations/deliveries.ts',
    edits: [['for (const remoteId of move.remoteIds ?? []) {', 'for (const remoteId of [] as string[]) {']],
    test: [
      'src/store/sqlite/operations/deliveries.test.ts',
      'moves, counts, notes network ids as aliases and writes',
    ],
  },
  {
    rule: 'loop guard, layer 3: envelope id',
    source: relay('loop-guard'),
    edits: [['byEnvelopeId: (id) => store.isTaken(id)', 'byEnvelopeId: async (id) => id.length < 0']],
    test: tests('dedup', 'the layers answer for themselves'),
  },
  {
    rule: 'a lane sends one at a time',
    source: relay('lanes'),
    edits: [
      [
        'lane.queue.splice(index, 0, item)',
        "network.lanes.set(item.lane, { key: item.lane, queue: [item], state: 'ready' })\n    network.ready.push(network.lanes.get(item.lane)!)",
      ],
    ],
    test: tests('lanes', 'one at a time in a lane, lanes side by side up to the cap'),
  },
  {
    rule: 'a lane keeps the order of acceptance',
    source: relay('lanes'),
    edits: [['lane.queue[index - 1]!.id > item.id) index--', 'lane.queue[index - 1]!.id < item.id) index--']],
    test: tests('lanes', 'an item that comes back goes before younger ones, but not before one that runs'),
  },
]

const oneVisit: Guard[] = [
  {
    rule: 'loop guard, layer 4: hop trace',
    source: relay('loop-guard'),
    edits: [['hop.gateway === gateway)', 'hop.network === gateway)']],
    test: tests(
      'dedup',
      'layer 4: the hop trace tells a frame that has been here, though nothing of it is remembered',
    ),
  },
  {
    rule: 'a gateway adds its own hop',
    source: relay('frames'),
    edits: [
      [
        '[...decodeTrace(envelope.trace), { gateway, network: via, at: receivedAt }]',
        '[...decodeTrace(envelope.trace)]',
      ],
    ],
    test: tests(
      'frames',
      'a frame that fits goes whole, with the own hop and the certificate of the key log',
    ),
  },
  {
    rule: 'a frame ends after eight gateways',
    source: relay('loop-guard'),
    edits: [['return trace.length < LIMITS.hops', 'return trace.length <= LIMITS.hops']],
    test: tests(
      'dedup',
      'a frame at the end of its trace reaches the inbox and goes no further; a longer trace is refused',
    ),
  },
  {
    rule: 'no open relay: what is heard goes to wallets of this gateway',
    source: relay('recipients'),
    edits: [['const elsewhere = inbound ? [] :', 'const elsewhere =']],
    test: tests(
      'accept',
      'no open relay: a heard frame goes to wallets of this gateway only, a submitted one to anyone',
    ),
  },
]

const nothingForged: Guard[] = [
  {
    rule: 'the device is certified and not revoked',
    source: relay('checks'),
    edits: [["if (status !== 'certified') {", "if (status !== 'certified' && receivedAt < 0) {"]],
    test: tests('accept', 'a revoked device is refused from the moment of its revocation'),
  },
  {
    rule: 'the device signed the envelope',
    source: relay('checks'),
    edits: [['if (!(await verifySealed(envelope, context.verify))) {', 'if (receivedAt < 0) {']],
    test: tests('accept', 'a device that is unknown, a signature that is wrong, a sender that is another'),
  },
  {
    rule: 'ttl',
    source: relay('checks'),
    edits: [['if (ttl !== 0 && created + ttl * 1000 <= now) {', 'if (ttl < 0) {']],
    test: tests('accept', 'envelope-expired'),
  },
  {
    rule: 'created lies at most 120 s ahead',
    source: relay('checks'),
    edits: [['if (created > now + settings.maxFutureMs) {', 'if (created < 0) {']],
    test: tests('accept', 'envelope-from-future'),
  },
  {
    rule: 'the submitter is the sender',
    source: relay('accept'),
    edits: [['if (envelope.header.from !== submitter) {', "if (submitter === '') {"]],
    test: tests('accept', 'another wallet may not submit, nor learn of, an envelope that is not its own'),
  },
  {
    rule: 'consent and rate after the signature',
    source: relay('accept'),
    edits: [['await context.admission.admit({', 'void ({']],
    test: tests('accept', 'admission comes after the signature and may refuse with its own code'),
  },
]

const noSecrets: Guard[] = [
  {
    rule: 'sessions are kept by the hash of their token',
    source: 'src/identity/sign-in.ts',
    edits: [["return hash('sha256', token)", 'return token']],
    test: ['src/identity/service.test.ts', 'stores no token'],
  },
  {
    rule: 'reasons quote no text of networks',
    source: relay('retry'),
    edits: [['return /^[\\w.-]{1,32}$/.test(code) ?', 'return code ?']],
    test: tests('retry', 'a reason never quotes more of the network than a short code'),
  },
]

export const INVARIANTS: readonly Invariant[] = [
  { name: 'No acknowledged envelope is lost', guards: nothingLost },
  { name: 'A recipient’s inbox holds an id once', guards: onceInAnInbox },
  {
    name: 'Nothing is relayed twice to one endpoint unless the outcome was uncertain, and then the id is the same',
    guards: sentOnce,
  },
  { name: 'No frame visits a gateway twice', guards: oneVisit },
  { name: 'Nothing is taken that its sender’s device did not sign', guards: nothingForged },
  { name: 'The gateway never writes a plaintext, key or token to disk, log or error', guards: noSecrets },
]
