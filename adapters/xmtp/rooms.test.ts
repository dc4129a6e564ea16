import { expect, it } from 'vitest'
import { Rooms } from './rooms.ts'

const never = new AbortController().signal
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Enters and notes so. */
function visitor(rooms: Rooms<'red' | 'blue'>, entered: string[]) {
  return (name: string, kind: 'red' | 'blue', signal = never) =>
    rooms.enter(kind, signal).then((leave) => {
      entered.push(name)
      return leave
    })
}

it('lets in many of one kind, and the other kind when all of them have left', async () => {
  const entered: string[] = []
  const enter = visitor(new Rooms(), entered)
  const [first, second] = await Promise.all([enter('first', 'red'), enter('second', 'red')])
  const third = enter('third', 'blue')
  first()
  first()
  await settled()
  expect(entered).toEqual(['first', 'second'])
  second()
  await third
  expect(entered).toEqual(['first', 'second', 'third'])
})

it('keeps the order of arrival: a stream of one kind does not keep the other out', async () => {
  const entered: string[] = []
  const enter = visitor(new Rooms(), entered)
  const first = await enter('first', 'red')
  const second = enter('second', 'blue')
  const third = enter('third', 'red')
  await settled()
  expect(entered).toEqual(['first'])
  first()
  ;(await second)()
  ;(await third)()
  expect(entered).toEqual(['first', 'second', 'third'])
})

it('forgets who gave up, and lets in who waited behind', async () => {
  const entered: string[] = []
  const enter = visitor(new Rooms(), entered)
  await enter('first', 'red')
  const over = new AbortController()
  const second = enter('second', 'blue', over.signal)
  const third = enter('third', 'red')
  over.abort()
  await expect(second).rejects.toMatchObject({ code: 'aborted' })
  await third
  await expect(enter('fourth', 'red', over.signal)).rejects.toMatchObject({ code: 'aborted' })
  expect(entered).toEqual(['first', 'third'])
})
