/**
 * One line of the doctor: what was looked at, how it is, what to do. Values only; who looks is in the other files of this
 * folder.
 */

export interface Finding {
  readonly subject: string
  readonly verdict: 'ok' | 'warning' | 'failure'
  readonly text: string
  /** What to do, as a phrase behind "try"; empty where nothing is to be done. */
  readonly advice: string
}

export function finding(subject: string, verdict: Finding['verdict'], text: string, advice = ''): Finding {
  return { subject, verdict, text, advice }
}
