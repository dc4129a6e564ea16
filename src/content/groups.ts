/** What happened to a group: XMTP's protobuf, which is read, and the same as JSON, which is written. */
import { concatBytes } from '../envelope/index.ts'
import type { Codec } from './codec.ts'
import { readJson, writeJson } from './json.ts'
import { field, optionalField, readFields } from './protobuf.ts'
import { type GroupUpdatedContent, TYPES } from './types.ts'

export const groupUpdated: Codec<'groupUpdated'> = {
  type: TYPES.groupUpdated,
  read({ bytes }) {
    const members = readJson(bytes, 'change of a group')
    const change = (name: string) => {
      const both = members.optionalObject(name)
      return { added: both?.texts('added') ?? [], removed: both?.texts('removed') ?? [] }
    }
    return {
      kind: 'groupUpdated',
      initiatedBy: members.text('initiatedBy'),
      added: members.texts('added'),
      removed: members.texts('removed'),
      left: members.texts('left'),
      fields: members.objects('fields').map((one) => ({
        name: one.text('name'),
        before: one.optionalText('before'),
        after: one.optionalText('after'),
      })),
      admins: change('admins'),
      superAdmins: change('superAdmins'),
    }
  },
  write({ kind: _kind, ...members }) {
    return { parameters: {}, fallback: fallbackOf(members), bytes: writeJson(members) }
  },
}

/** Protobuf `GroupUpdated`. Its field 5 and the ones after it came later; old messages lack them. */
export const groupUpdatedNative: Codec<'groupUpdated'> = {
  type: TYPES.groupUpdatedNative,
  read({ bytes }) {
    const what = 'change of a group'
    const fields = readFields(bytes, what)
    const inboxes = (number: number) =>
      fields.messages(number).map((message) => readFields(message, what).text(1))
    return {
      kind: 'groupUpdated',
      initiatedBy: fields.text(1),
      added: inboxes(2),
      removed: inboxes(3),
      left: inboxes(5),
      fields: fields.messages(4).map((message) => {
        const change = readFields(message, what)
        return { name: change.text(1), before: change.optionalText(2), after: change.optionalText(3) }
      }),
      admins: { added: inboxes(6), removed: inboxes(7) },
      superAdmins: { added: inboxes(8), removed: inboxes(9) },
    }
  },
  write(content) {
    const inboxes = (number: number, ids: string[]) =>
      concatBytes(...ids.map((id) => optionalField(number, field(1, id))))
    const bytes = concatBytes(
      field(1, content.initiatedBy),
      inboxes(2, content.added),
      inboxes(3, content.removed),
      ...content.fields.map(({ name, before, after }) =>
        optionalField(4, concatBytes(field(1, name), optionalField(2, before), optionalField(3, after))),
      ),
      inboxes(5, content.left),
      inboxes(6, content.admins.added),
      inboxes(7, content.admins.removed),
      inboxes(8, content.superAdmins.added),
      inboxes(9, content.superAdmins.removed),
    )
    return { parameters: {}, fallback: fallbackOf(content), bytes }
  },
}

function fallbackOf({
  added,
  removed,
  left,
  fields,
}: Pick<GroupUpdatedContent, 'added' | 'removed' | 'left' | 'fields'>): string {
  const gone = removed.length + left.length
  const parts = [
    added.length > 0 ? `${added.length} joined` : '',
    gone > 0 ? `${gone} left` : '',
    fields.length > 0 ? 'its details changed' : '',
  ].filter((part) => part !== '')
  return `The group changed${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`
}
