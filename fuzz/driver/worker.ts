/**
 * The thread of one campaign. Its heap is bounded (run.ts); what it finds it hands over at its end.
 * Promises that nobody waits for count as findings too: they would end the process of a user.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { runCampaign } from './campaign.ts'

parentPort?.postMessage(await runCampaign(workerData))
