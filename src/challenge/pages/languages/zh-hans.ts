import type { Catalogue } from '../catalogue.ts'

export const zhHans: Catalogue = {
  tag: 'zh-Hans',
  name: '简体中文',
  direction: 'ltr',

  overload: '我们目前收到的访问请求远多于平时',
  inLine: '您正在排队。本页会自动重试，轮到您时会打开您要访问的页面。',
  calculating:
    '为了让人先于机器人进入，您的浏览器正在进行一次简短的计算。完成后页面会自动打开，您无需做任何操作。',
  ahead: '排在您前面：{range}',
  estimate: '预计等待时间：{range}',
  looksAgain: '{seconds}\u00a0秒后自动重试。',
  reloading: '提前刷新页面不会加快速度。',
  ifNothing: '如果之后没有反应，请重试',
  again: '重试',
  stop: '停止自动刷新',
  stopped: '本页不再自动刷新。您在队列中的位置会保留一段时间，请不时重试。',

  form: '您提交的内容尚未送达网站。内容已保存在本页中，没有丢失。请不要关闭本页，稍候片刻，然后再次提交。',
  formCalculating:
    '您提交的内容已保存在本页中，没有丢失。为了让人先于机器人进入，您的浏览器正在进行一次简短的计算。完成后内容会自动再次提交，请不要关闭本页。',
  send: '再次提交',
  resend: '您提交的内容没有送达网站，而且内容过大，无法保存在本页中。',
  resendHow:
    '请稍候片刻，然后刷新本页并确认再次提交。如果无法这样做，请返回上一页：您填写的内容通常仍保留在浏览器中。',
  resendCalculating: '为了让人先于机器人进入，您的浏览器正在进行一次简短的计算。请等计算完成后再提交。',
  resendNow: '已完成。现在可以再次提交。',

  help: '此浏览器未能完成计算。这不是您的问题：您现在正在排队，本页会自动重试。',
  helpContact: '您也可以联系网站的负责人，并请告知下方的参考编号。',
  busy: '您的请求暂时未能通过。请稍候，或过几分钟再来。',

  failed: '网站没有响应',
  failedNext: '故障出在我们这边，与您和您的设备无关。请过几分钟再试。',
  refused: '本网站不接受此请求',
  refusedNext: '这是网站负责人的决定。如果您认为这是误判，请告知他们，并提供下方的参考编号。',
  hammering: '有非常多的请求来自您的网络连接',
  hammeringNext: '这可能与您无关：在家中、单位或移动网络中，多人往往共用同一个连接。请稍候片刻，然后重试。',

  contact: '如果情况紧急',
  phone: '电话：{phone}',
  mail: '电子邮件：{mail}',
  meanwhile: '在此期间可用：{link}',
  home: '首页',
  languages: '其他语言',
  reference: '参考编号：{ray}',

  progress: '计算进度',
  timeLeft: '大约还需{time}',
  opening: '已完成。正在打开页面。',
  sending: '已完成。正在再次提交。',

  moment: '请稍候',
}
