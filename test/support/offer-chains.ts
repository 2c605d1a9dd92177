/**
 * What an honest peer is in tests: a net that seeds all links of some chains and claims these on a topic.
 */

import type { Chains } from '../../helper/build/chains.ts'
import type { LinkFile } from '../../helper/build/link-file.ts'
import { encodeChainAnswer } from '../../helper/share/chain-message.ts'
import type { Net } from '../../net/index.ts'

/** @param readerOf how it reads a link, if not honestly */
export function offerChains(
  net: Net,
  topic: Uint8Array,
  { chains }: Pick<Chains, 'chains'>,
  readerOf: (link: LinkFile) => LinkFile['read'] = (link) => link.read,
): void {
  for (const { links } of chains) for (const link of links) net.seed(link, { read: readerOf(link) })
  net.joinTopic(topic, { onRequest: async () => encodeChainAnswer(chains) }, { announce: false })
}
