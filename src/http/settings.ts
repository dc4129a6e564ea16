/** What an operator may set of the HTTP API. The configuration feeds it; defaults stand here for tests and embedders. */
export interface HttpSettings {
  /** Web origins that may call the API from a browser, or `*` for any. Empty: no cross-origin use. */
  corsOrigins: string[]
  /**
   * Take the client address from the last entry of `X-Forwarded-For`. Only behind a proxy that appends to that header:
   * anyone can forge the entries before the last.
   */
  trustProxy: boolean
  /** Token of `/v1/admin/*`. Null: these routes do not exist. */
  adminToken: string | null
  limits: HttpLimits
  streams: StreamSettings
}

export interface HttpLimits {
  /** Body of `POST /v1/envelopes` as CBOR, bytes. As JSON: a third more, for base64url. */
  envelopeBytes: number
  /** Envelopes in `POST /v1/envelopes/batch`. */
  batchEnvelopes: number
  /** Whole body of a batch, bytes. */
  batchBytes: number
  /** Any other JSON body, bytes. */
  jsonBytes: number
  /** Body of `PUT /v1/mirrors/{network}`, bytes. */
  registrationBytes: number
  /** Body of a network's webhook, bytes. */
  webhookBodyBytes: number
  /** How long a body may take to arrive, milliseconds. */
  bodyTimeoutMs: number
  /** How long a connection may make no progress, e.g. because the client does not read the answer, milliseconds. */
  stalledMs: number
  /** Requests a second of one wallet and of one device, sustained; an envelope of a batch or socket counts as one. */
  walletPerSecond: number
  walletBurst: number
  /** Requests a second of one client address, sustained. */
  addressPerSecond: number
  addressBurst: number
  /** Challenges and their answers a minute of one client address; a sign-in is two. */
  signInsPerMinute: number
  /** Callers whose budget is remembered; the one unseen for longest is forgotten first. */
  trackedCallers: number
}

export interface StreamSettings {
  /** Live streams and socket subscriptions of one wallet. */
  perWallet: number
  /** Live streams and sockets of the process. */
  total: number
  /** Bytes that may wait for a slow reader before its stream is cut. */
  bufferBytes: number
  /** Between heartbeats, milliseconds. */
  heartbeatMs: number
  /** How often an open stream's session is looked up again, milliseconds: the longest that a revoked device goes on hearing. */
  sessionCheckMs: number
  /** Items that are read from the store at a time while a stream catches up. */
  pageItems: number
  /** What clients are told to wait before they connect again, milliseconds. */
  retryMs: number
  /** How long a socket may stay open without a subscription, milliseconds. */
  socketIdleMs: number
  /** Submissions of one socket that may be under way at once; more are not read until some are answered. */
  socketInFlight: number
}

export const defaultHttpSettings: HttpSettings = {
  corsOrigins: [],
  trustProxy: false,
  adminToken: null,
  limits: {
    envelopeBytes: 131_072,
    batchEnvelopes: 32,
    batchBytes: 1_048_576,
    jsonBytes: 65_536,
    registrationBytes: 1_048_576,
    webhookBodyBytes: 262_144,
    bodyTimeoutMs: 15_000,
    stalledMs: 60_000,
    walletPerSecond: 50,
    walletBurst: 200,
    addressPerSecond: 100,
    addressBurst: 400,
    signInsPerMinute: 30,
    trackedCallers: 100_000,
  },
  streams: {
    perWallet: 20,
    total: 20_000,
    bufferBytes: 1_048_576,
    heartbeatMs: 15_000,
    sessionCheckMs: 30_000,
    pageItems: 100,
    retryMs: 1_000,
    socketIdleMs: 15_000,
    socketInFlight: 64,
  },
}
