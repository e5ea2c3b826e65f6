import type { Catalogue } from '../catalogue.ts'

export const fr: Catalogue = {
  tag: 'fr',
  name: 'Français',
  direction: 'ltr',

  overload: 'Nous recevons beaucoup plus de demandes que d’habitude',
  inLine:
    'Vous êtes dans la file d’attente. Cette page réessaie toute seule et ouvrira la page demandée quand viendra votre tour.',
  calculating:
    'Pour que les personnes passent avant les robots, votre navigateur effectue un court calcul. La page s’ouvrira ensuite toute seule\u00a0; vous n’avez rien à faire.',
  ahead: 'Devant vous dans la file\u00a0: {range}',
  estimate: 'Attente estimée\u00a0: {range}',
  looksAgain: 'Prochain essai automatique dans {seconds}\u00a0s.',
  reloading: 'Recharger la page plus tôt ne fait pas gagner de temps.',
  ifNothing: 'Si rien ne se passe ensuite, réessayer',
  again: 'Réessayer',
  stop: 'Arrêter l’actualisation automatique',
  stopped:
    'Cette page ne s’actualise plus toute seule. Votre place dans la file est gardée un certain temps\u00a0: réessayez de temps en temps.',

  form: 'Votre envoi n’est pas encore parvenu au site. Il est conservé dans cette page, rien n’est perdu. Laissez la page ouverte, patientez un instant, puis envoyez-le de nouveau.',
  formCalculating:
    'Votre envoi est conservé dans cette page, rien n’est perdu. Pour que les personnes passent avant les robots, votre navigateur effectue un court calcul. L’envoi repartira ensuite tout seul\u00a0; laissez cette page ouverte.',
  send: 'Envoyer de nouveau',
  resend:
    'Votre envoi n’est pas parvenu au site, et il est trop volumineux pour être conservé dans cette page.',
  resendHow:
    'Patientez un instant, puis rechargez cette page et confirmez le nouvel envoi. Si ce n’est pas possible, revenez à la page précédente\u00a0: votre navigateur y a en général gardé ce que vous avez saisi.',
  resendCalculating:
    'Pour que les personnes passent avant les robots, votre navigateur effectue un court calcul. Attendez qu’il soit terminé pour envoyer de nouveau.',
  resendNow: 'C’est fait. Vous pouvez maintenant envoyer de nouveau.',

  help: 'Le calcul n’a pas abouti dans ce navigateur. Ce n’est pas votre faute\u00a0: vous êtes dans la file d’attente, et cette page réessaie toute seule.',
  helpContact:
    'Vous pouvez aussi joindre les responsables du site\u00a0; indiquez-leur le numéro de référence ci-dessous.',
  busy: 'Votre demande n’a pas pu passer pour l’instant. Patientez un moment, ou revenez dans quelques minutes.',

  failed: 'Le site ne répond pas',
  failedNext:
    'La panne est de notre côté\u00a0: ni vous ni votre appareil n’y êtes pour rien. Réessayez dans quelques minutes.',
  refused: 'Ce site n’accepte pas cette demande',
  refusedNext:
    'C’est une décision des responsables du site. Si vous pensez qu’il s’agit d’une erreur, signalez-la-leur en indiquant le numéro de référence ci-dessous.',
  hammering: 'De très nombreuses demandes viennent de votre connexion',
  hammeringNext:
    'Vous n’y êtes peut-être pour rien\u00a0: une connexion est souvent partagée, à la maison, au travail ou sur un réseau mobile. Patientez un instant, puis réessayez.',

  contact: 'Si vous ne pouvez pas attendre',
  phone: 'Téléphone\u00a0: {phone}',
  mail: 'Courriel\u00a0: {mail}',
  meanwhile: 'Disponible en attendant\u00a0: {link}',
  home: 'Page d’accueil',
  languages: 'Autres langues',
  reference: 'Numéro de référence\u00a0: {ray}',

  progress: 'Avancement du calcul',
  timeLeft: 'Encore {time} environ',
  opening: 'C’est fait. La page s’ouvre.',
  sending: 'C’est fait. L’envoi repart.',

  moment: 'Un instant',
}
