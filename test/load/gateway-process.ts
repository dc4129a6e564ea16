/** The gateway of `run.ts`: a process of its own, limits by wallet as given, others out of the way. */
import { PLENTY, startWholeGateway } from './gateway.ts'

const { perSecond, burst } = JSON.parse(process.argv[2] ?? '{}') as { perSecond: number; burst: number }
const gateway = await startWholeGateway({
  limits: { ...PLENTY, walletPerSecond: perSecond, walletBurst: burst },
})
process.send?.({ url: gateway.url })
process.on('message', () => {
  void gateway.stop().then(() => process.disconnect())
})
