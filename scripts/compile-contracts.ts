/**
 * Compiles the Solidity sources and writes their bytecode beside them. The compiler is no dependency of the project, because
 * the sources hardly ever change:
 *
 *   npm install --prefix /tmp/solc solc@0.8.37
 *   node scripts/compile-contracts.ts /tmp/solc/node_modules/solc
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Output {
  errors?: { severity: string; formattedMessage: string }[]
  contracts?: Record<
    string,
    Record<string, { evm: { bytecode: { object: string }; deployedBytecode: { object: string } } }>
  >
}

const TARGETS = [
  { source: 'src/identity/contracts/SignatureValidator.sol', out: 'src/identity/contracts/bytecode.ts' },
  {
    source: 'src/identity/testing/contracts/Accounts.sol',
    out: 'src/identity/testing/contracts/bytecode.ts',
  },
]
/** Without opcodes that younger chains have and others lack. */
const EVM_VERSION = 'paris'
const ROOT = fileURLToPath(new URL('..', import.meta.url))

const folder = process.argv[2]
if (folder === undefined)
  throw new Error('usage: node scripts/compile-contracts.ts <folder of the package solc>')
const solc = createRequire(import.meta.url)(resolve(folder)) as {
  version(): string
  compile(input: string): string
}

for (const { source, out } of TARGETS) {
  const name = basename(source)
  const input = {
    language: 'Solidity',
    sources: { [name]: { content: await readFile(resolve(ROOT, source), 'utf8') } },
    settings: {
      optimizer: { enabled: true, runs: 200 },
      evmVersion: EVM_VERSION,
      metadata: { bytecodeHash: 'none', appendCBOR: false },
      outputSelection: { '*': { '*': ['evm.bytecode.object', 'evm.deployedBytecode.object'] } },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as Output
  const errors = (output.errors ?? []).filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new Error(errors.map(({ formattedMessage }) => formattedMessage).join('\n'))
  const constants = Object.entries(output.contracts?.[name] ?? {}).map(([contract, { evm }]) => {
    const constant = contract.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
    return `/** Creation code of \`${contract}\`, without the arguments of its constructor. */\nexport const ${constant} =\n  '0x${evm.bytecode.object}'\n`
  })
  const header = `/**\n * Generated from \`${name}\` by \`scripts/compile-contracts.ts\`, which says how to run it.\n * solc ${solc.version()}, optimizer 200 runs, EVM version ${EVM_VERSION}, no metadata.\n */\n\n`
  await writeFile(resolve(ROOT, out), header + constants.join('\n'))
}
