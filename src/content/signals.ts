/** Causeway's own types: typing and location; and notifications of applications. All JSON. */
import type { Codec } from './codec.ts'
import { bytesInvalid, ContentError } from './errors.ts'
import { readJson, writeJson } from './json.ts'
import { type LocationContent, TYPES } from './types.ts'

export const typing: Codec<'typing'> = {
  type: TYPES.typing,
  read: ({ bytes }) => ({
    kind: 'typing',
    state: readJson(bytes, 'typing').oneOf('state', ['started', 'stopped'] as const),
  }),
  write: ({ state }) => ({ parameters: {}, fallback: null, bytes: writeJson({ state }) }),
}

export const location: Codec<'location'> = {
  type: TYPES.location,
  read({ bytes }) {
    const members = readJson(bytes, 'location')
    const [latitude, longitude] = [members.number('latitude'), members.number('longitude')]
    if (!isOnEarth({ latitude, longitude })) throw bytesInvalid('location', 'it is nowhere on Earth')
    return { kind: 'location', latitude, longitude, description: members.optionalText('description') }
  },
  write({ latitude, longitude, description }) {
    if (!isOnEarth({ latitude, longitude })) {
      throw new ContentError(
        'content-value-invalid',
        'A location has a latitude of ±90° and a longitude of ±180°',
      )
    }
    const place = `${latitude}, ${longitude}`
    return {
      parameters: {},
      fallback: description ? `${description} (${place})` : `Location: ${place}`,
      bytes: writeJson({ latitude, longitude, description }),
    }
  },
}

function isOnEarth({ latitude, longitude }: Pick<LocationContent, 'latitude' | 'longitude'>): boolean {
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180
}

export const notification: Codec<'notification'> = {
  type: TYPES.notification,
  read({ bytes }) {
    const members = readJson(bytes, 'notification')
    return {
      kind: 'notification',
      title: members.text('title'),
      body: members.text('body'),
      url: members.optionalText('url'),
      image: members.optionalText('image'),
      application: members.optionalText('application'),
      icon: members.optionalText('icon'),
      channel: members.optionalText('channel'),
    }
  },
  write({ kind: _kind, ...members }) {
    const { title, body, url } = members
    const lines = [title, body, url].filter((line) => line !== null && line !== '')
    return { parameters: {}, fallback: lines.join('\n'), bytes: writeJson(members) }
  },
}
