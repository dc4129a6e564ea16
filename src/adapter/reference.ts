/** Renders `docs/reference/networks.md` from the adapters' manifests. */
import { loadAdapter, networkNames, sandboxNames } from './registry.ts'

export async function renderCapabilitiesReference(): Promise<string> {
  const lines = [
    '# Networks',
    '',
    'Generated from the manifests by `npm run generate`. What a configured network can do right now, address and limits included, is told by `GET /v1/networks`.',
    '',
    '| network | | largest frame | order | may deliver again for | carries our transaction id | other gateways hear it | sandbox |',
    '|---|---|---|---|---|---|---|---|',
  ]
  for (const name of networkNames) {
    const { manifest } = await loadAdapter(name)
    lines.push(
      `| \`${name}\` | ${manifest.title} | ${manifest.limits.maxFrameBytes} bytes | ${manifest.ordering === 'none' ? 'none' : 'within a conversation'} | ${duration(manifest.redeliveryWindowMs)} | ${yesNo(manifest.carriesTransactionId)} | ${yesNo(manifest.federates)} | ${yesNo(sandboxNames.includes(name))} |`,
    )
  }
  return lines.join('\n')
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no'
}

function duration(milliseconds: number): string {
  const hours = milliseconds / 3_600_000
  if (hours >= 48) return `${Math.round(hours / 24)} days`
  return hours >= 1 ? `${Math.round(hours)} hours` : `${Math.round(milliseconds / 60_000)} minutes`
}
