/**
 * index.html of an exported folder: what this is, how to clone with it, what lies here. For people; no program reads it.
 * No scripts, nothing from elsewhere, no dates, so that it changes only when its content does.
 */

import { humanBytes } from '../progress.ts'
import { BUNDLE_LIST_NAME } from './bundle-list.ts'
import { MANIFEST_NAME } from './file-names.ts'
import type { ManifestSnapshot } from './manifest.ts'
import type { DescribedChain, DescribedLink } from './manifest-entries.ts'

export const INDEX_PAGE_NAME = 'index.html'

/** The bytes of the page; `baseUrl` null where nobody said where the folder will be. */
export function encodeIndexPage(
  chains: readonly DescribedChain[],
  snapshots: readonly ManifestSnapshot[],
  baseUrl: string | null,
): Uint8Array {
  const at = baseUrl ?? 'https://<where this folder is>/'
  const commands = [
    `git clone --bundle-uri=${at}${BUNDLE_LIST_NAME} <URL of the origin>`,
    `git -c gittorrent.webseed=${at}${MANIFEST_NAME} clone gittorrent::<URL of the origin>`,
  ]
  const page = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Bundles of a git history</title>
<style>body{font:1em/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}td,th{text-align:left;padding:0 1em 0 0}
code,pre{font-family:monospace}pre{overflow-x:auto}td:nth-child(n+3){text-align:right}</style>
<h1>Bundles of a git history</h1>
<p>Parts of a git repository, as bundles that git and any BitTorrent client can read. They save the origin most of a clone; what is
newer, and which commit a branch is at, comes from the origin itself.</p>
<p>With git 2.40 or newer alone, or with GitTorrent:</p>
<pre>${commands.map(escaped).join('\n')}</pre>
<p>Files: <a href="${BUNDLE_LIST_NAME}">${BUNDLE_LIST_NAME}</a> for git, <a href="${MANIFEST_NAME}">${MANIFEST_NAME}</a> for GitTorrent,
<a href="SHA256SUMS">SHA256SUMS</a> for <code>sha256sum -c</code>.</p>
${chains.map(sectionOf).join('')}${snapshots.length === 0 ? '' : snapshotSection(snapshots)}</html>
`
  return Buffer.from(page)
}

function sectionOf({ ref, tip, links }: DescribedChain): string {
  const rows = links.map(rowOf).join('')
  return `<h2>${escaped(ref)}</h2>
<p>As of <code>${escaped(tip)}</code>. Newest first; each bundle needs the ones below it.</p>
<table>
<tr><th>bundle<th>torrent<th>commits<th>objects<th>size
${rows}</table>
`
}

function snapshotSection(snapshots: readonly ManifestSnapshot[]): string {
  const rows = snapshots.map(({ commit, file, objects, bytes }) => {
    const cells = [linkTo(file, commit.slice(0, 12)), linkTo(`${file}.torrent`, 'torrent'), objects, humanBytes(bytes)]
    return `<tr>${cells.map((cell) => `<td>${cell}`).join('')}\n`
  })
  return `<h2>Snapshots</h2>
<p>All files of a commit, without its history: GitTorrent begins <code>git clone --depth 1</code> with one.</p>
<table>
<tr><th>commit<th>torrent<th>objects<th>size
${rows.join('')}</table>
`
}

function linkTo(file: string, text: string): string {
  return `<a href="${escaped(file)}">${text}</a>`
}

function rowOf({ file, commits, objects, bytes, tip, base }: DescribedLink): string {
  const name = `${tip.slice(0, 12)} down to ${base === null ? 'the root' : base.slice(0, 12)}`
  const cells = [linkTo(file, name), linkTo(`${file}.torrent`, 'torrent')]
  return `<tr>${[...cells, commits, objects, humanBytes(bytes)].map((cell) => `<td>${cell}`).join('')}\n`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}
