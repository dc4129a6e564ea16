/** Reactions: the JSON of XIP-20 (1.0), and protobuf as the SDKs write it today (2.0). */
import { concatBytes } from '../envelope/index.ts'
import type { Codec } from './codec.ts'
import { bytesInvalid } from './errors.ts'
import { readJson, writeJson } from './json.ts'
import { field, readFields } from './protobuf.ts'
import { REACTION_ACTIONS, REACTION_SCHEMAS, type ReactionContent, TYPES } from './types.ts'

function fallbackOf({ action, content }: ReactionContent): string {
  return action === 'removed'
    ? `Removed "${content}" from an earlier message`
    : `Reacted with "${content}" to an earlier message`
}

export const reaction: Codec<'reaction'> = {
  type: TYPES.reaction,
  read({ bytes }) {
    const members = readJson(bytes, 'reaction')
    return {
      kind: 'reaction',
      action: members.oneOf('action', REACTION_ACTIONS),
      schema: members.oneOf('schema', REACTION_SCHEMAS),
      content: members.text('content'),
      reference: members.optionalText('reference') ?? '',
      referenceInboxId: members.optionalText('referenceInboxId') ?? '',
    }
  },
  write(content) {
    const { action, reference, referenceInboxId, schema } = content
    const body = {
      action,
      reference,
      referenceInboxId: referenceInboxId || null,
      schema,
      content: content.content,
    }
    return { parameters: {}, fallback: fallbackOf(content), bytes: writeJson(body) }
  },
}

/** The enums begin with a value for none. */
const numberOf = <T extends string>(values: readonly T[], value: T) => values.indexOf(value) + 1
function namedBy<T extends string>(values: readonly T[], number: number): T {
  const value = values[number - 1]
  if (value === undefined) throw bytesInvalid('reaction', 'its action or schema is not known')
  return value
}

export const reactionV2: Codec<'reaction'> = {
  type: TYPES.reactionV2,
  read({ bytes }) {
    const fields = readFields(bytes, 'reaction')
    return {
      kind: 'reaction',
      reference: fields.text(1),
      referenceInboxId: fields.text(2),
      action: namedBy(REACTION_ACTIONS, fields.number(3)),
      content: fields.text(4),
      schema: namedBy(REACTION_SCHEMAS, fields.number(5)),
    }
  },
  write(content) {
    const bytes = concatBytes(
      field(1, content.reference),
      field(2, content.referenceInboxId),
      field(3, numberOf(REACTION_ACTIONS, content.action)),
      field(4, content.content),
      field(5, numberOf(REACTION_SCHEMAS, content.schema)),
    )
    return { parameters: {}, fallback: fallbackOf(content), bytes }
  },
}
