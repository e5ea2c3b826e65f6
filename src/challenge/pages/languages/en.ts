import type { Catalogue } from '../catalogue.ts'

export const en: Catalogue = {
  tag: 'en',
  name: 'English',
  direction: 'ltr',

  overload: 'We are receiving far more requests than usual',
  inLine:
    'You are in line. This page looks again by itself, and opens the page you asked for when it is your turn.',
  calculating:
    'So that people get in before robots, your browser is doing a short calculation. Then the page opens by itself; there is nothing you need to do.',
  ahead: 'Ahead of you in line: {range}',
  estimate: 'Estimated wait: {range}',
  looksAgain: 'Looks again by itself in {seconds}\u00a0s.',
  reloading: 'Reloading sooner does not make it faster.',
  ifNothing: 'If nothing happens after that, try again',
  again: 'Try again',
  stop: 'Stop automatic reloading',
  stopped:
    'This page no longer looks again by itself. Your place in line is kept for a while: try again from time to time.',

  form: 'What you sent has not reached the site yet. It is kept in this page and nothing is lost. Leave the page open, wait a moment, then send it again.',
  formCalculating:
    'What you sent is kept in this page and nothing is lost. So that people get in before robots, your browser is doing a short calculation. Then it is sent again by itself; please leave this page open.',
  send: 'Send again',
  resend: 'What you sent has not reached the site, and it is too large to be kept in this page.',
  resendHow:
    'Wait a moment, then reload this page and confirm that you want to send it again. If that is not possible, go back one page: your browser usually still has what you typed there.',
  resendCalculating:
    'So that people get in before robots, your browser is doing a short calculation. Please wait until it is done before you send again.',
  resendNow: 'Done. You can send it again now.',

  help: 'The calculation did not work in this browser. That is not your fault: you are in line instead, and this page looks again by itself.',
  helpContact: 'You can also reach the people who run this site; please quote the reference number below.',
  busy: 'Your request could not get through just now. Please wait a moment, or come back in a few minutes.',

  failed: 'The site is not answering',
  failedNext: 'The fault is on our side, not with you or your device. Please try again in a few minutes.',
  refused: 'This site does not accept this request',
  refusedNext:
    'The people who run the site have decided this. If you think it is a mistake, please tell them and quote the reference number below.',
  hammering: 'Very many requests are coming from your connection',
  hammeringNext:
    'That may have nothing to do with you: a connection is often shared, at home, at work or on a mobile network. Please wait a moment, then try again.',

  contact: 'If it cannot wait',
  phone: 'Phone: {phone}',
  mail: 'Mail: {mail}',
  meanwhile: 'Available meanwhile: {link}',
  home: 'Home page',
  languages: 'Other languages',
  reference: 'Reference number: {ray}',

  progress: 'Progress of the calculation',
  timeLeft: 'About {time} left',
  opening: 'Done. The page is opening.',
  sending: 'Done. It is being sent again.',

  moment: 'One moment',
}
