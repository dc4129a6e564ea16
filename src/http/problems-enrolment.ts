import type { EnrolmentErrorCode } from '../enrolment/errors.ts'
import type { ProblemEntry } from './problems.ts'

export const enrolmentProblems: Record<EnrolmentErrorCode, ProblemEntry> = {
  'enrolment-unsupported': {
    status: 422,
    title: 'There is no hop mode on this network here',
    fix: 'Choose a network whose `enrolment` in GET /v1/networks is not null.',
  },
  'enrolment-unknown': {
    status: 404,
    title: 'The wallet has no such enrolment',
    fix: 'Take the id from GET /v1/enrolments. One that was begun ends with a restart of the gateway: begin again.',
  },
  'enrolment-exists': {
    status: 409,
    title: 'The wallet is enrolled on this network',
    fix: 'Use the enrolment of GET /v1/enrolments, or end it first.',
  },
  'enrolment-limit': {
    status: 409,
    title: 'No more enrolments are taken',
    fix: 'End one of the wallet’s, or ask the operator to raise the limits in `enrolments`.',
  },
  'enrolment-expired': {
    status: 410,
    title: 'The text waited too long for its signature',
    fix: 'Begin again and sign within fifteen minutes.',
  },
  'enrolment-signature-refused': {
    status: 422,
    title: 'The network does not take the signature',
    fix: 'Sign the text as it is with the enrolling wallet; a smart account names its chain. The same enrolment may be completed again.',
  },
  'enrolment-refused': {
    status: 422,
    title: 'The network does not take the wallet',
    fix: 'See what the network allows a wallet, e.g. how many clients; take one off that is not used any more.',
  },
  'enrolment-handover-invalid': {
    status: 422,
    title: 'What was handed over cannot be used',
    fix: 'Seal the wallet’s key on the network to the gateway’s encryptionKey for this enrolment, exactly where GET /v1/networks says `handover: key`. It has to be the key of the wallet’s present account there.',
  },
}
