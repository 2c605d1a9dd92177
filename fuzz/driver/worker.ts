/**
 * The thread of campaigns, each of which a message asks for. Its heap is bounded (campaign-thread.ts); what one finds it hands
 * over at its end. Promises that nobody waits for count as findings too: they would end the process of a user.
 */

import { parentPort } from 'node:worker_threads'
import { countAllocations } from './allocation.ts'
import { type CampaignOptions, runCampaign } from './campaign.ts'

countAllocations()
parentPort?.on('message', async (options: CampaignOptions) => {
  parentPort?.postMessage(await runCampaign(options))
})
