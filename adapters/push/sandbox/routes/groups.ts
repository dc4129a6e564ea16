/** Groups. SANDBOX. */
import { randomBytes } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { z } from 'zod'
import { armoredKeyOf, sha256 } from '../proofs.ts'
import { bodyOf, didParameter, Refusal, requireDid, requirePgpProof, type Service } from '../service.ts'
import type { Chat, Group, Json, Member, State } from '../state.ts'

const created = z.looseObject({
  groupName: z.string(),
  isPublic: z.boolean(),
  members: z.array(z.string()),
  admins: z.array(z.string()),
  config: z.looseObject({}),
  idempotentVerificationProof: z.string(),
  profileVerificationProof: z.string().nullish(),
})
const changed = z.looseObject({
  upsert: z.record(z.string(), z.array(z.string())),
  remove: z.array(z.string()),
  encryptedSecret: z.string().nullish(),
  deltaVerificationProof: z.string(),
})

type GroupChat = Chat & { group: Group }

export function mountGroups(app: Hono, service: Service): void {
  const { state, events } = service

  function groupOf(context: Context): GroupChat {
    const chat = state.chats.get(context.req.param('id') ?? '')
    if (!chat?.group) throw new Refusal(404, 'group not found')
    return { ...chat, group: chat.group }
  }

  /** `pgpv2:<signature>:<DID>`: who signed stands at the end. */
  function signerOf(proof: string): string {
    return requireDid(proof.split(':').slice(2).join(':'))
  }

  function invite(chat: GroupChat, from: string, invited: string): void {
    events.chat(invited, 'CHAT_GROUPS', {
      eventType: 'request',
      isGroup: true,
      chatId: chat.chatId,
      from,
      to: [invited],
      timestamp: service.now(),
      messageOrigin: 'other',
      verificationProof: chat.group.info.profileVerificationProof,
    })
  }

  app.post('/v2/chat/groups', async (context) => {
    const body = await bodyOf(context, created)
    const creator = signerOf(body.idempotentVerificationProof)
    const { members, admins } = body
    await requirePgpProof(service, {
      did: creator,
      types: ['pgpv2'],
      value: body.idempotentVerificationProof,
      body: { members, admins },
    })
    const { groupName, groupImage, groupDescription, isPublic, groupType, rules, config } = body
    const { meta, scheduleAt, scheduleEnd, status } = config
    const member = (role: Member['role']) => (did: string) => [
      requireDid(did),
      { did: requireDid(did), role, intent: false },
    ]
    const chat: GroupChat = {
      chatId: randomBytes(32).toString('hex'),
      participants: [],
      intents: [],
      intentSentBy: creator,
      intentTimestamp: new Date(service.now()).toISOString(),
      threadHash: null,
      group: {
        members: {
          ...Object.fromEntries(members.map(member('MEMBER'))),
          ...Object.fromEntries(admins.map(member('ADMIN'))),
          [creator]: { did: creator, role: 'ADMIN', intent: true },
        },
        info: {
          groupName,
          groupImage,
          groupDescription,
          isPublic,
          groupType,
          rules,
          meta,
          scheduleAt,
          scheduleEnd,
          status,
          groupCreator: creator,
          profileVerificationProof: body.profileVerificationProof,
        },
        sessionKey: null,
        encryptedSecret: null,
      },
    }
    for (const did of Object.keys(chat.group.members)) state.ensureUser(did)
    state.createChat(chat)
    events.chat(creator, 'CHAT_GROUPS', {
      ...groupInformation(chat),
      eventType: 'create',
      from: creator,
      timestamp: service.now(),
      messageOrigin: 'self',
      verificationProof: body.profileVerificationProof,
    })
    for (const { did, intent } of Object.values(chat.group.members)) if (!intent) invite(chat, creator, did)
    return context.json(groupInformation(chat))
  })

  app.get('/v2/chat/groups/:id', (context) => context.json(groupInformation(groupOf(context))))
  app.get('/v1/chat/groups/:id', (context) => context.json(groupView(service, groupOf(context))))

  app.get('/v1/chat/groups/:id/members', (context) => {
    const members = Object.values(groupOf(context).group.members)
    return context.json({
      members: members.map(({ did, intent, role }) => ({
        address: did,
        intent,
        role,
        userInfo: state.users.get(did),
      })),
    })
  })

  app.get('/v1/chat/groups/:id/members/count', (context) => {
    const members = Object.values(groupOf(context).group.members)
    const count = (fits: (member: Member) => boolean) => members.filter(fits).length
    const role = (wanted: Member['role']) => ({
      total: count((member) => member.role === wanted),
      pending: count((member) => member.role === wanted && !member.intent),
    })
    return context.json({
      totalMembersCount: {
        overallCount: members.length,
        adminsCount: role('ADMIN').total,
        membersCount: role('MEMBER').total,
        pendingCount: count(({ intent }) => !intent),
        approvedCount: count(({ intent }) => intent),
        roles: { ADMIN: role('ADMIN'), MEMBER: role('MEMBER') },
      },
    })
  })

  app.get('/v1/chat/groups/:id/members/publicKeys', (context) => {
    const joined = Object.values(groupOf(context).group.members).filter(({ intent }) => intent)
    const keyOf = (did: string) => armoredKeyOf(state.users.get(did)?.publicKey ?? '')
    return context.json({ members: joined.map(({ did }) => ({ did, publicKey: keyOf(did) })) })
  })

  app.get('/v1/chat/groups/:id/members/:did/status', (context) => {
    const member = groupOf(context).group.members[didParameter(context, 'did')]
    return context.json({
      isMember: member?.intent ?? false,
      isPending: member !== undefined && !member.intent,
      isAdmin: member?.role === 'ADMIN',
    })
  })

  app.get('/v1/chat/groups/:id/access/:did', (context) => context.json({ entry: true, chat: true }))

  app.put('/v1/chat/groups/:id/members', async (context) => {
    const chat = groupOf(context)
    const body = await bodyOf(context, changed)
    const actor = signerOf(body.deltaVerificationProof)
    const { upsert, remove, encryptedSecret } = body
    await requirePgpProof(service, {
      did: actor,
      types: ['pgpv2'],
      value: body.deltaVerificationProof,
      body: { upsert, remove, encryptedSecret },
    })
    const { members } = chat.group
    for (const [role, dids] of Object.entries(upsert)) {
      for (const text of dids) {
        const did = requireDid(text)
        const known = members[did]
        members[did] = { did, role: role as Member['role'], intent: known?.intent ?? did === actor }
        state.ensureUser(did)
        if (!known && did !== actor) invite(chat, actor, did)
      }
    }
    for (const text of remove) {
      const did = requireDid(text)
      const told = Object.values(members).filter((member) => member.intent || member.did === did)
      delete members[did]
      for (const member of told) {
        events.chat(member.did, 'CHAT_GROUPS', {
          eventType: did === actor ? 'leaveGroup' : 'remove',
          chatId: chat.chatId,
          from: actor,
          to: [did],
          timestamp: service.now(),
          messageOrigin: member.did === actor ? 'self' : 'other',
        })
      }
    }
    rotateSecret(state, chat.group, encryptedSecret)
    state.createChat(chat)
    return context.json(groupInformation(chat))
  })

  for (const part of ['profile', 'config']) {
    app.put(`/v1/chat/groups/:id/${part}`, async (context) => {
      const chat = groupOf(context)
      const { profileVerificationProof, configVerificationProof, ...changes } = await bodyOf(
        context,
        z.looseObject({ profileVerificationProof: z.unknown(), configVerificationProof: z.unknown() }),
      )
      Object.assign(chat.group.info, changes)
      state.chats.set(chat.chatId, chat)
      return context.json(groupInformation(chat))
    })
  }

  app.get('/v1/chat/encryptedsecret/sessionKey/:key', (context) =>
    context.json({ encryptedSecret: state.sessionSecrets.get(context.req.param('key')) ?? null }),
  )
}

/** A new session key for the members, where the SDK made one. */
export function rotateSecret(state: State, group: Group, secret: string | null | undefined): void {
  if (!secret) return
  group.encryptedSecret = secret
  group.sessionKey = sha256(secret)
  state.sessionSecrets.set(group.sessionKey, secret)
}

function groupInformation({ chatId, group }: GroupChat): Json {
  const { sessionKey, encryptedSecret } = group
  return { ...group.info, chatId, sessionKey, encryptedSecret }
}

/** A group with its members and their keys. */
export function groupView({ state }: Pick<Service, 'state'>, chat: Chat): Json {
  if (!chat.group) return {}
  const members = Object.values(chat.group.members).map(({ did, role, intent }) => ({
    intent,
    view: {
      wallet: did,
      publicKey: armoredKeyOf(state.users.get(did)?.publicKey ?? ''),
      isAdmin: role === 'ADMIN',
      image: state.users.get(did)?.profile.picture ?? null,
    },
  }))
  const views = (joined: boolean) => members.flatMap(({ intent, view }) => (intent === joined ? [view] : []))
  return {
    ...groupInformation({ ...chat, group: chat.group }),
    members: views(true),
    pendingMembers: views(false),
    contractAddressERC20: null,
    numberOfERC20: 0,
    contractAddressNFT: null,
    numberOfNFTTokens: 0,
    verificationProof: chat.group.info.profileVerificationProof,
  }
}
