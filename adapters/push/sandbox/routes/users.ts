/** Profiles: the PGP keys of wallets. SANDBOX. */
import type { Hono } from 'hono'
import { z } from 'zod'
import { canonicalDid } from '../../did.ts'
import {
  bodyOf,
  didParameter,
  Refusal,
  requireDid,
  requirePgpProof,
  requireProfileProof,
  type Service,
} from '../service.ts'
import type { User } from '../state.ts'

const keys = {
  caip10: z.string(),
  publicKey: z.string(),
  encryptedPrivateKey: z.string(),
  verificationProof: z.string(),
}
const created = z.looseObject({
  ...keys,
  verificationProof: z.string().default(''),
  did: z.string(),
  origin: z.string().nullish(),
})
const batch = z.looseObject({ userIds: z.array(z.string()) })
const profile = z.looseObject({
  name: z.string().nullish(),
  desc: z.string().nullish(),
  picture: z.string().nullish(),
  blockedUsersList: z.array(z.string()).nullish(),
  verificationProof: z.string(),
})

export function mountUsers(app: Hono, service: Service): void {
  const { users } = service.state

  function require(did: string): User {
    const user = users.get(did)
    if (!user) throw new Refusal(404, 'user not found')
    return user
  }

  for (const path of ['/v2/users', '/v2/users/']) {
    app.get(path, (context) => {
      const did = canonicalDid(context.req.query('caip10') ?? '')
      return context.json((did && users.get(did)) ?? null)
    })

    app.post(path, async (context) => {
      const body = await bodyOf(context, created)
      const did = requireDid(body.did)
      const user = service.state.ensureUser(did)
      // Whoever writes to a wallet that is not there yet makes it, without keys and without its signature.
      if (body.publicKey === '' && body.encryptedPrivateKey === '') return context.json(user, 201)
      requireProfileProof(service, body, body.verificationProof)
      const { publicKey, encryptedPrivateKey, verificationProof } = body
      users.set(did, {
        ...user,
        publicKey,
        encryptedPrivateKey,
        verificationProof,
        origin: body.origin ?? null,
      })
      return context.json(require(did), 201)
    })
  }

  app.post('/v2/users/batch', async (context) => {
    const { userIds } = await bodyOf(context, batch)
    return context.json({ users: userIds.flatMap((id) => users.get(canonicalDid(id) ?? '') ?? []) })
  })

  app.put('/v2/users/:did/auth', async (context) => {
    const body = await bodyOf(context, z.looseObject(keys))
    const user = require(didParameter(context, 'did'))
    requireProfileProof(service, { ...body, did: body.caip10 }, body.verificationProof)
    const { publicKey, encryptedPrivateKey, verificationProof } = body
    users.set(user.did, { ...user, publicKey, encryptedPrivateKey, verificationProof })
    return context.json(require(user.did))
  })

  app.put('/v2/users/:did/profile', async (context) => {
    const { verificationProof, ...changes } = await bodyOf(context, profile)
    const user = require(didParameter(context, 'did'))
    const proof = { did: user.did, types: ['pgpv2'], value: verificationProof, body: changes }
    await requirePgpProof(service, proof)
    users.set(user.did, {
      ...user,
      profile: {
        name: changes.name ?? null,
        desc: changes.desc ?? null,
        picture: changes.picture ?? null,
        blockedUsersList: changes.blockedUsersList ?? [],
        profileVerificationProof: verificationProof,
      },
    })
    return context.json(require(user.did))
  })
}
