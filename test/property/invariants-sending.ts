/** Guards against repeats and loops. */
import { type Guard, relay, tests } from './invariants-guard.ts'

export const sentOnce: Guard[] = [
  {
    rule: 'a delivery is claimed in the store before it is sent',
    source: relay('dispatch'),
    edits: [['return moved ? delivery : null', 'return delivery']],
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

export const oneVisit: Guard[] = [
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
