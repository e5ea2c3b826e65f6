import type { Catalogue } from '../catalogue.ts'

export const es: Catalogue = {
  tag: 'es',
  name: 'Español',
  direction: 'ltr',

  overload: 'Estamos recibiendo muchas más solicitudes de lo habitual',
  inLine:
    'Está usted en la fila de espera. Esta página vuelve a intentarlo por sí sola y abrirá la página solicitada cuando llegue su turno.',
  calculating:
    'Para que las personas pasen antes que los robots, su navegador está haciendo un cálculo breve. Después la página se abrirá por sí sola; no tiene que hacer nada.',
  ahead: 'Por delante de usted en la fila: {range}',
  estimate: 'Espera estimada: {range}',
  looksAgain: 'Próximo intento automático en {seconds}\u00a0s.',
  reloading: 'Recargar la página antes no acorta la espera.',
  ifNothing: 'Si después no ocurre nada, volver a intentarlo',
  again: 'Volver a intentarlo',
  stop: 'Detener la recarga automática',
  stopped:
    'Esta página ya no se recarga por sí sola. Su lugar en la fila se conserva durante un tiempo: vuelva a intentarlo de vez en cuando.',

  form: 'Lo que envió todavía no ha llegado al sitio. Está guardado en esta página y no se ha perdido nada. Deje la página abierta, espere un momento y envíelo de nuevo.',
  formCalculating:
    'Lo que envió está guardado en esta página y no se ha perdido nada. Para que las personas pasen antes que los robots, su navegador está haciendo un cálculo breve. Después se enviará de nuevo por sí solo; deje esta página abierta, por favor.',
  send: 'Enviar de nuevo',
  resend: 'Lo que envió no ha llegado al sitio y es demasiado grande para guardarlo en esta página.',
  resendHow:
    'Espere un momento, recargue esta página y confirme que desea enviarlo de nuevo. Si no es posible, vuelva a la página anterior: por lo general, su navegador conserva allí lo que escribió.',
  resendCalculating:
    'Para que las personas pasen antes que los robots, su navegador está haciendo un cálculo breve. Espere a que termine antes de enviar de nuevo.',
  resendNow: 'Listo. Ya puede enviarlo de nuevo.',

  help: 'El cálculo no ha funcionado en este navegador. No es culpa suya: está usted en la fila de espera y esta página vuelve a intentarlo por sí sola.',
  helpContact:
    'También puede dirigirse a los responsables del sitio; indíqueles el número de referencia que figura más abajo.',
  busy: 'Su solicitud no ha podido pasar en este momento. Espere un poco o vuelva dentro de unos minutos.',

  failed: 'El sitio no responde',
  failedNext:
    'El fallo es nuestro, no de usted ni de su dispositivo. Vuelva a intentarlo dentro de unos minutos.',
  refused: 'Este sitio no acepta esta solicitud',
  refusedNext:
    'Así lo han decidido los responsables del sitio. Si cree que se trata de un error, comuníqueselo e indique el número de referencia que figura más abajo.',
  hammering: 'Desde su conexión llegan muchísimas solicitudes',
  hammeringNext:
    'Puede que no tenga nada que ver con usted: una conexión a menudo se comparte, en casa, en el trabajo o en una red móvil. Espere un momento y vuelva a intentarlo.',

  contact: 'Si no puede esperar',
  phone: 'Teléfono: {phone}',
  mail: 'Correo electrónico: {mail}',
  meanwhile: 'Disponible mientras tanto: {link}',
  home: 'Página de inicio',
  languages: 'Otros idiomas',
  reference: 'Número de referencia: {ray}',

  progress: 'Avance del cálculo',
  timeLeft: 'Tiempo restante aproximado: {time}',
  opening: 'Listo. La página se está abriendo.',
  sending: 'Listo. Se está enviando de nuevo.',

  moment: 'Un momento',
}
