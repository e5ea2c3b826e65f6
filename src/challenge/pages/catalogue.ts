/**
 * What the pages say, for those who translate it. A language is a file in languages/ that fills this in, and
 * a line in languages/all.ts.
 *
 * Who reads it: a worried person on an old phone, who wanted something else. Calm, plain and exact; "we",
 * the people who run the site. No blame, no jargon, nothing about attackers, nothing about "checking".
 * Every entry is whole: never put two together. `{…}` stands for a value and has to stay. Numbers come
 * with their unit in words ("20–40 seconds") unless the unit is in the entry. No markup; typographic
 * quotes and apostrophes; `\u00a0` where a line must not break.
 */
export interface Catalogue {
  /** BCP 47, as short as it can be: "fr", "zh-Hans". */
  readonly tag: string
  /** What the language calls itself; on the switch of the other languages' pages. */
  readonly name: string
  readonly direction: 'ltr' | 'rtl'

  /** The heading of nearly every page: what is happening. As in "We are receiving far more requests than usual". */
  readonly overload: string
  /** Below it, while the person waits in a line. The page is loaded again every few seconds without any doing of theirs. */
  readonly inLine: string
  /** In its place while the browser pays with a calculation of some seconds. Nothing is checked about the person. */
  readonly calculating: string
  /** How many requests are served before this one. `{range}`: "120–180". */
  readonly ahead: string
  /** `{range}`: "20–40 seconds", "2 minutes". */
  readonly estimate: string
  /** The countdown; `{seconds}` becomes smaller every second. The unit is short, so that it needs no plural. */
  readonly looksAgain: string
  /** Who reloads the page keeps his place but gains nothing. */
  readonly reloading: string
  /** A link, for browsers that do not load the page again by themselves. */
  readonly ifNothing: string
  /** A link, or below a heading that says what went wrong, to the page that was asked for. */
  readonly again: string
  /** A link: the page is no longer loaded again by itself, for those whom it disturbs while reading or listening. */
  readonly stop: string
  /** After that link. */
  readonly stopped: string

  /** A form was sent and could not get through; its content is in the page, with the button `send` below. */
  readonly form: string
  /** The same while the browser calculates; afterwards it sends the form itself. */
  readonly formCalculating: string
  /** The button. */
  readonly send: string
  /** A form was sent whose content is too large to be kept in the page: it has to be sent again by the person. */
  readonly resend: string
  /** How. "Reload" and "back" as browsers call them. */
  readonly resendHow: string
  /** The same while the browser calculates: sending succeeds afterwards. */
  readonly resendCalculating: string
  /** When that is done. */
  readonly resendNow: string

  /** The calculation failed three times. The person is in the line now. */
  readonly help: string
  /** Follows it. "Below" is where the reference number stands. */
  readonly helpContact: string
  /** A page that needs no calculation could not be served just now. */
  readonly busy: string

  /** Heading: the machine behind us gives no answer. */
  readonly failed: string
  readonly failedNext: string
  /** Heading: by the operator’s word this request is not taken, be it for its address, its path or what it looks like. */
  readonly refused: string
  readonly refusedNext: string
  /** Heading: one address sends very many requests; the person may share it with others, so this is no reproach. */
  readonly hammering: string
  readonly hammeringNext: string

  /** Heading above telephone, mail and another site: for whom it is urgent. */
  readonly contact: string
  readonly phone: string
  readonly mail: string
  /** Another site that works while this one is hard to reach. */
  readonly meanwhile: string
  /** A link. */
  readonly home: string
  /** Read out by screen readers before the names of the other languages. */
  readonly languages: string
  /** `{ray}`: letters and digits that whoever calls or writes should quote. */
  readonly reference: string

  /** Read out by screen readers for the progress bar. */
  readonly progress: string
  /** `{time}`: "12 seconds". Said every five seconds, so short. */
  readonly timeLeft: string
  /** The calculation is over. */
  readonly opening: string
  /** The same where a form is sent. */
  readonly sending: string

  /** All that is on a page shown for one second. At most 24 bytes of UTF-8. */
  readonly moment: string
}
