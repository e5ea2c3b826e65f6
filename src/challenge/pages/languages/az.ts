import type { Catalogue } from '../catalogue.ts'

export const az: Catalogue = {
  tag: 'az',
  name: 'Azərbaycanca',
  direction: 'ltr',

  overload: 'Həmişəkindən qat-qat çox sorğu alırıq',
  inLine:
    'Siz növbədəsiniz. Bu səhifə özü yenidən cəhd edir və növbəniz çatanda istədiyiniz səhifəni açacaq.',
  calculating:
    'İnsanlar robotlardan əvvəl daxil ola bilsin deyə, brauzeriniz qısa bir hesablama aparır. Sonra səhifə özü açılacaq; sizin heç nə etməyinizə ehtiyac yoxdur.',
  ahead: 'Növbədə sizdən qabaq: {range}',
  estimate: 'Təxmini gözləmə müddəti: {range}',
  looksAgain: 'Növbəti avtomatik cəhdə {seconds}\u00a0san qalıb.',
  reloading: 'Səhifəni daha tez yeniləmək gözləməni qısaltmır.',
  ifNothing: 'Bundan sonra heç nə baş verməsə, yenidən cəhd edin',
  again: 'Yenidən cəhd edin',
  stop: 'Avtomatik yeniləməni dayandırın',
  stopped:
    'Bu səhifə artıq özü yenilənmir. Növbədəki yeriniz bir müddət saxlanılır: vaxtaşırı yenidən cəhd edin.',

  form: 'Göndərdikləriniz hələ sayta çatmayıb. Onlar bu səhifədə saxlanılır, heç nə itməyib. Səhifəni açıq saxlayın, bir az gözləyin, sonra yenidən göndərin.',
  formCalculating:
    'Göndərdikləriniz bu səhifədə saxlanılır, heç nə itməyib. İnsanlar robotlardan əvvəl daxil ola bilsin deyə, brauzeriniz qısa bir hesablama aparır. Sonra onlar avtomatik olaraq yenidən göndəriləcək; xahiş edirik, bu səhifəni açıq saxlayın.',
  send: 'Yenidən göndərin',
  resend: 'Göndərdikləriniz sayta çatmayıb və bu səhifədə saxlanılmaq üçün çox böyükdür.',
  resendHow:
    'Bir az gözləyin, sonra bu səhifəni yeniləyin və yenidən göndərməyi təsdiqləyin. Bu mümkün deyilsə, əvvəlki səhifəyə qayıdın: yazdıqlarınız adətən brauzerdə qalır.',
  resendCalculating:
    'İnsanlar robotlardan əvvəl daxil ola bilsin deyə, brauzeriniz qısa bir hesablama aparır. Xahiş edirik, yenidən göndərməzdən əvvəl onun bitməsini gözləyin.',
  resendNow: 'Hazırdır. İndi yenidən göndərə bilərsiniz.',

  help: 'Hesablama bu brauzerdə alınmadı. Bu sizin günahınız deyil: indi növbədəsiniz və bu səhifə özü yenidən cəhd edir.',
  helpContact:
    'Saytı idarə edənlərlə də əlaqə saxlaya bilərsiniz; xahiş edirik, aşağıdakı istinad nömrəsini bildirin.',
  busy: 'Sorğunuz hazırda keçə bilmədi. Xahiş edirik, bir az gözləyin və ya bir neçə dəqiqədən sonra qayıdın.',

  failed: 'Sayt cavab vermir',
  failedNext:
    'Nasazlıq bizdədir, sizdə və ya cihazınızda deyil. Xahiş edirik, bir neçə dəqiqədən sonra yenidən cəhd edin.',
  refused: 'Bu sayt bu sorğunu qəbul etmir',
  refusedNext:
    'Bu, saytı idarə edənlərin qərarıdır. Bunun səhv olduğunu düşünürsünüzsə, onlara bildirin və aşağıdakı istinad nömrəsini göstərin.',
  hammering: 'Bağlantınızdan çox sayda sorğu gəlir',
  hammeringNext:
    'Bunun sizə aidiyyəti olmaya bilər: evdə, işdə və ya mobil şəbəkədə bir bağlantıdan çox vaxt bir neçə nəfər istifadə edir. Xahiş edirik, bir az gözləyin, sonra yenidən cəhd edin.',

  contact: 'Gözləmək mümkün deyilsə',
  phone: 'Telefon: {phone}',
  mail: 'E-poçt: {mail}',
  meanwhile: 'Bu müddətdə işləyir: {link}',
  home: 'Ana səhifə',
  languages: 'Digər dillər',
  reference: 'İstinad nömrəsi: {ray}',

  progress: 'Hesablamanın gedişi',
  timeLeft: 'Təxminən {time} qalıb',
  opening: 'Hazırdır. Səhifə açılır.',
  sending: 'Hazırdır. Yenidən göndərilir.',

  moment: 'Bir an',
}
