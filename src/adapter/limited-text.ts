/** Reading what other hosts answer: they decide how much they send, we decide how much of it is kept in memory. */

/** An answer was longer than the caller takes. The rest of it was not read, and its connection is closed. */
export class AnswerTooLong extends Error {
  override readonly name = 'AnswerTooLong'
  readonly code = 'answer-too-long'

  constructor(maxBytes: number) {
    super(`The answer has more than ${maxBytes} bytes`)
  }
}

/**
 * The body of a `fetch` answer as UTF-8 text, counted while it arrives, after decompression. Rejects with `AnswerTooLong`
 * beyond `maxBytes`, whatever `Content-Length` says, and with what the connection fails with.
 *
 * @example const text = await readLimitedText(await fetch(url, { redirect: 'manual' }), 1_048_576)
 */
export async function readLimitedText(response: Response, maxBytes: number): Promise<string> {
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await response.body?.cancel()
    throw new AnswerTooLong(maxBytes)
  }
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  // Leaving the loop by an error cancels the body, which closes the connection.
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > maxBytes) throw new AnswerTooLong(maxBytes)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
