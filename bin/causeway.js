#!/usr/bin/env node
// Starts the command line on the project's own Node 24, whatever Node the caller has.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))
const result = spawnSync(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
if (result.error) console.error(`causeway: cannot run ${node}: ${result.error.message}. Run "npm ci" first.`)
process.exitCode = result.status ?? 1
