/**
 * The web server of a machine in the bench network: serves a folder until it is killed. Started by swarm-crowd.ts inside a
 * namespace, with folder, host and port as arguments; says on stdout when it listens.
 */

import { startStaticServer } from './static-server.ts'

const [root = '', host = '', port = ''] = process.argv.slice(2)
const { url } = await startStaticServer(root, {}, host, Number(port))
console.log(url)
