import type { Catalogue } from '../catalogue.ts'

export const de: Catalogue = {
  tag: 'de',
  name: 'Deutsch',
  direction: 'ltr',

  overload: 'Wir erhalten gerade weit mehr Anfragen als sonst',
  inLine:
    'Sie sind in der Warteschlange. Diese Seite versucht es von selbst erneut und öffnet die gewünschte Seite, sobald Sie an der Reihe sind.',
  calculating:
    'Damit Menschen vor Robotern an die Reihe kommen, führt Ihr Browser eine kurze Berechnung aus. Danach öffnet sich die Seite von selbst; Sie müssen nichts tun.',
  ahead: 'Vor Ihnen in der Warteschlange: {range}',
  estimate: 'Geschätzte Wartezeit: {range}',
  looksAgain: 'Nächster automatischer Versuch in {seconds}\u00a0s.',
  reloading: 'Früher neu zu laden bringt keinen Zeitgewinn.',
  ifNothing: 'Falls danach nichts geschieht: erneut versuchen',
  again: 'Erneut versuchen',
  stop: 'Automatisches Neuladen anhalten',
  stopped:
    'Diese Seite lädt nicht mehr von selbst neu. Ihr Platz in der Warteschlange bleibt eine Weile erhalten: Versuchen Sie es von Zeit zu Zeit erneut.',

  form: 'Was Sie abgeschickt haben, ist noch nicht angekommen. Es bleibt in dieser Seite erhalten, nichts ist verloren. Lassen Sie die Seite offen, warten Sie einen Moment und schicken Sie es dann erneut ab.',
  formCalculating:
    'Was Sie abgeschickt haben, bleibt in dieser Seite erhalten, nichts ist verloren. Damit Menschen vor Robotern an die Reihe kommen, führt Ihr Browser eine kurze Berechnung aus. Danach wird es von selbst erneut abgeschickt; bitte lassen Sie die Seite offen.',
  send: 'Erneut abschicken',
  resend:
    'Was Sie abgeschickt haben, ist nicht angekommen, und es ist zu groß, um in dieser Seite aufbewahrt zu werden.',
  resendHow:
    'Warten Sie einen Moment, laden Sie diese Seite dann neu und bestätigen Sie das erneute Abschicken. Geht das nicht, so kehren Sie zur vorigen Seite zurück: Meist hat Ihr Browser dort noch, was Sie eingegeben haben.',
  resendCalculating:
    'Damit Menschen vor Robotern an die Reihe kommen, führt Ihr Browser eine kurze Berechnung aus. Bitte warten Sie, bis sie fertig ist, bevor Sie erneut abschicken.',
  resendNow: 'Fertig. Sie können jetzt erneut abschicken.',

  help: 'Die Berechnung ist in diesem Browser nicht gelungen. Das liegt nicht an Ihnen: Sie sind stattdessen in der Warteschlange, und diese Seite versucht es von selbst erneut.',
  helpContact:
    'Sie können sich auch an die Betreiber der Website wenden; bitte nennen Sie dabei die unten stehende Referenznummer.',
  busy: 'Ihre Anfrage kam gerade nicht durch. Bitte warten Sie einen Moment, oder kommen Sie in einigen Minuten wieder.',

  failed: 'Die Website antwortet nicht',
  failedNext:
    'Der Fehler liegt bei uns, nicht bei Ihnen oder Ihrem Gerät. Bitte versuchen Sie es in einigen Minuten erneut.',
  refused: 'Diese Website nimmt diese Anfrage nicht an',
  refusedNext:
    'Das haben die Betreiber der Website so festgelegt. Falls Sie das für einen Irrtum halten, teilen Sie es ihnen bitte mit und nennen Sie die unten stehende Referenznummer.',
  hammering: 'Von Ihrem Anschluss kommen sehr viele Anfragen',
  hammeringNext:
    'Das muss nichts mit Ihnen zu tun haben: Oft teilen sich mehrere einen Anschluss, zu Hause, bei der Arbeit oder im Mobilfunknetz. Bitte warten Sie einen Moment und versuchen Sie es dann erneut.',

  contact: 'Wenn es nicht warten kann',
  phone: 'Telefon: {phone}',
  mail: 'E-Mail: {mail}',
  meanwhile: 'Inzwischen erreichbar: {link}',
  home: 'Startseite',
  languages: 'Andere Sprachen',
  reference: 'Referenznummer: {ray}',

  progress: 'Fortschritt der Berechnung',
  timeLeft: 'Noch etwa {time}',
  opening: 'Fertig. Die Seite öffnet sich.',
  sending: 'Fertig. Es wird erneut abgeschickt.',

  moment: 'Einen Moment',
}
