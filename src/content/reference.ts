/** docs/reference/content.md, from the table. */
import { CONTENT_KINDS, type ContentKind } from '../adapter/content-support.ts'
import { NETWORK_CONTENTS } from './networks.ts'
import { TYPES } from './types.ts'

const titles: Readonly<Record<ContentKind, string>> = {
  text: 'text',
  markdown: 'markdown',
  reply: 'reply (`inReplyTo`)',
  reaction: 'reaction',
  readReceipt: 'read receipt',
  edit: 'edit (`replaces`)',
  delete: 'deletion (`replaces`)',
  typing: 'typing',
  attachment: 'file inside of the message',
  remoteAttachment: 'encrypted file elsewhere',
  multiRemoteAttachment: 'several of them',
  attachmentReference: 'file by URL',
  composite: 'several contents in one',
  location: 'location',
  notification: 'notification',
  transactionReference: 'transaction',
  walletSendCalls: 'request for calls',
  groupUpdated: 'change of a group',
  other: 'any other type',
}

const typeOf: Readonly<Partial<Record<ContentKind, string>>> = { ...TYPES, edit: '', reply: '' }

export function renderContentReference(): string {
  const networks = Object.values(NETWORK_CONTENTS)
  const outward = CONTENT_KINDS.map((kind) => [
    titles[kind],
    typeOf[kind] ? `\`${typeOf[kind]}\`` : '',
    ...networks.map(({ kinds, as }) => (as[kind] === '' ? kinds[kind] : `${kinds[kind]}: ${as[kind]}`)),
  ])
  const inward = networks.flatMap(({ title, arrivals }) => [
    `### ${title}`,
    '',
    ...table(
      ['message', 'becomes'],
      arrivals.map(({ native, rendering, as }) => [native, as === '' ? rendering : `${rendering}: ${as}`]),
    ),
    '',
  ])
  return [
    '# Contents across networks',
    '',
    'Generated from the table that adapters declare (`src/content/networks.ts`); do not edit.',
    '',
    'In modes `sealed` and `opaque` contents arrive as they were sealed, whatever the network. In hop mode they are messages of the',
    'network’s own clients:',
    '',
    '- **native**: as the network’s own content of this kind',
    '- **converted**: as another content of the network that says the same',
    '- **fallback**: as text in its place',
    '- **dropped**: not at all; the delivery ends as `superseded` with the reason `content-dropped`',
    '',
    'The delivery tells which it was: `rendering` in `GET /v1/envelopes/{id}/journey`. A content with several parts is what its worst part',
    'is. A reaction that the network does not have, or that is about a message which the network does not have, is `fallback`; so is',
    'an edit of such a message. Deleting a message that the network does not have is `dropped`.',
    '',
    '## From here to a network’s clients',
    '',
    ...table(['content', 'type', ...networks.map(({ title }) => title)], outward),
    '',
    '## From a network’s clients to here',
    '',
    ...inward,
  ].join('\n')
}

function table(head: string[], rows: string[][]): string[] {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}
