/** The table of operations: what the main thread may ask of the writer, by name. */
import * as adapters from './adapters.ts'
import * as aliases from './aliases.ts'
import * as conversations from './conversations.ts'
import * as deliveries from './deliveries.ts'
import * as endpoints from './endpoints.ts'
import * as enrolments from './enrolments.ts'
import * as envelopes from './envelopes.ts'
import * as identity from './identity.ts'
import * as inbox from './inbox.ts'
import * as journey from './journey.ts'
import * as maintenance from './maintenance.ts'
import * as mirrors from './mirrors.ts'
import { erasing, reading, writing } from './operation.ts'
import * as settings from './settings.ts'

export const operations = {
  putChallenge: writing(identity.putChallenge),
  getChallenge: reading(identity.getChallenge),
  deleteChallenge: writing(identity.deleteChallenge),
  completeChallenge: writing(identity.completeChallenge),
  useChallenge: writing(identity.useChallenge),
  keyLog: reading(identity.keyLog),
  getSession: reading(identity.getSession),
  deleteSession: writing(identity.deleteSession),
  putPrekeys: writing(identity.putPrekeys),
  prekeys: reading(identity.prekeys),
  servedAmong: reading(identity.servedAmong),

  putEndpoint: writing(endpoints.putEndpoint),
  endpoints: reading(endpoints.endpoints),
  walletsAt: reading(endpoints.walletsAt),
  putRoute: writing(endpoints.putRoute),
  getRoute: reading(endpoints.getRoute),

  accept: writing(envelopes.accept),
  mergeEnvelope: writing(envelopes.mergeEnvelope),
  isTaken: reading(envelopes.isTaken),
  getEnvelope: reading(envelopes.getEnvelope),

  inbox: reading(inbox.inbox),
  inboxBounds: reading(inbox.inboxBounds),
  conversations: reading(conversations.conversations),
  conversation: reading(conversations.conversation),
  markRead: writing(settings.markRead),
  chooseConversation: writing(settings.chooseConversation),
  consentOf: reading(settings.consentOf),
  putInboxSettings: writing(settings.putInboxSettings),
  inboxRules: reading(settings.inboxRules),

  putEnrolment: writing(enrolments.putEnrolment),
  completeEnrolment: erasing(enrolments.completeEnrolment),
  getEnrolment: reading(enrolments.getEnrolment),
  enrolmentsOf: reading(enrolments.enrolmentsOf),
  liveEnrolments: reading(enrolments.liveEnrolments),
  moveEnrolmentCursor: writing(enrolments.moveEnrolmentCursor),
  rewrapEnrolment: erasing(enrolments.rewrapEnrolment),
  endEnrolment: erasing(enrolments.endEnrolment),

  addAlias: writing(aliases.noteAlias),
  envelopeOfRemote: reading(aliases.envelopeOfRemote),

  addDeliveries: writing(envelopes.addDeliveries),
  openDeliveries: reading(deliveries.openDeliveries),
  getDelivery: reading(deliveries.getDelivery),
  deliveriesOf: reading(deliveries.deliveriesOf),
  listDeliveries: reading(deliveries.listDeliveries),
  moveDelivery: writing(deliveries.moveDelivery),

  addCheckpoints: writing(journey.addCheckpoints),
  journey: reading(journey.journey),

  getAdapterValue: reading(adapters.getAdapterValue),
  setAdapterValue: writing(adapters.setAdapterValue),
  recentPairs: reading(adapters.recentPairs),

  putMirror: writing(mirrors.putMirror),
  mirrorsOf: reading(mirrors.mirrorsOf),
  listMirrors: reading(mirrors.listMirrors),
  deleteMirror: writing(mirrors.deleteMirror),

  pruneEnvelopes: writing(maintenance.pruneEnvelopes),
  pruneTable: writing(maintenance.pruneTable),
  statistics: reading(maintenance.statistics),
  probe: writing(maintenance.probe),
} as const

export type OperationName = keyof typeof operations
export type Input<Name extends OperationName> = Parameters<(typeof operations)[Name]['run']>[1]
export type Output<Name extends OperationName> = ReturnType<(typeof operations)[Name]['run']>
