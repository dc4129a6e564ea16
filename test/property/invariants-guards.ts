/** Every guard of the relay's invariants, how it is taken out, and the test that fails then. */
import { type Guard, type Invariant, relay, tests } from './invariants-guard.ts'
import { oneVisit, sentOnce } from './invariants-sending.ts'

const nothingLost: Guard[] = [
  {
    rule: 'the store answers when the group is committed',
    source: 'src/store/sqlite/group.ts',
    edits: [['database.commit()', 'database.rollback()']],
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
    edits: [['if (taken !== null) {', 'if (taken !== null && taken < 0) {']],
    test: [
      'src/store/sqlite/operations/envelopes.test.ts',
      'accepts each of 100 ids exactly once out of 500 parallel',
    ],
  },
  {
    rule: 'a wallet that is sender and recipient has one item',
    source: 'src/store/sqlite/operations/envelopes.ts',
    edits: [['if (holders.some((holder) => holder.walletId === walletId)) continue', '']],
    test: [
      'src/store/sqlite/operations/envelopes.test.ts',
      'keeps one inbox item for a wallet that writes to itself',
    ],
  },
  {
    rule: 'a native message is claimed by its own id, whatever envelope is made of it',
    source: 'src/store/sqlite/operations/envelopes.ts',
    edits: [
      ['record.alias?.claims ? envelopeOfRemote(database, record.alias) : null', 'null as Uint8Array | null'],
    ],
    test: ['src/store/sqlite/operations/enrolments.test.ts', 'lets one envelope in for one network message'],
  },
]

const nothingForged: Guard[] = [
  {
    rule: 'what a gateway attests counts by a consent of a device that was not revoked since',
    source: relay('hop-trust'),
    edits: [[" || now === 'revoked'", '']],
    test: tests(
      'hop-trust',
      'is not believed when the device that consented was revoked, also for a consent dated back',
    ),
  },
  {
    rule: 'the consent is for this very gateway, key, network and wallet',
    source: relay('hop-trust'),
    edits: [['!equalBytes(consent.gatewayDevice, header.device)', 'consent.issuedAt < 0']],
    test: tests('hop-trust', 'is not believed by a consent to another key'),
  },
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
