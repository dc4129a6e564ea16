/** `npm run bench -- <name>`. */
import { runBenchCommand } from './command.ts'

process.exitCode = await runBenchCommand(process.argv.slice(2), 'npm run bench --')
