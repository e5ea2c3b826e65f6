import type { Catalogue } from '../catalogue.ts'

export const zhHant: Catalogue = {
  tag: 'zh-Hant',
  name: '繁體中文',
  direction: 'ltr',

  overload: '我們目前收到的瀏覽請求遠多於平時',
  inLine: '您正在排隊。本頁會自動重試，輪到您時會開啟您要瀏覽的頁面。',
  calculating:
    '為了讓人先於機器人進入，您的瀏覽器正在進行一次簡短的計算。完成後頁面會自動開啟，您無需做任何操作。',
  ahead: '排在您前面：{range}',
  estimate: '預計等候時間：{range}',
  looksAgain: '{seconds}\u00a0秒後自動重試。',
  reloading: '提前重新整理頁面不會加快速度。',
  ifNothing: '如果之後沒有反應，請重試',
  again: '重試',
  stop: '停止自動重新整理',
  stopped: '本頁不再自動重新整理。您在隊伍中的位置會保留一段時間，請不時重試。',

  form: '您送出的內容尚未送達網站。內容已保存在本頁中，沒有遺失。請不要關閉本頁，稍候片刻，然後再次送出。',
  formCalculating:
    '您送出的內容已保存在本頁中，沒有遺失。為了讓人先於機器人進入，您的瀏覽器正在進行一次簡短的計算。完成後內容會自動再次送出，請不要關閉本頁。',
  send: '再次送出',
  resend: '您送出的內容沒有送達網站，而且內容過大，無法保存在本頁中。',
  resendHow:
    '請稍候片刻，然後重新整理本頁並確認再次送出。如果無法這樣做，請返回上一頁：您填寫的內容通常仍保留在瀏覽器中。',
  resendCalculating: '為了讓人先於機器人進入，您的瀏覽器正在進行一次簡短的計算。請等計算完成後再送出。',
  resendNow: '已完成。現在可以再次送出。',

  help: '此瀏覽器未能完成計算。這不是您的問題：您現在正在排隊，本頁會自動重試。',
  helpContact: '您也可以聯絡網站的負責人，並請告知下方的參考編號。',
  busy: '您的請求暫時未能通過。請稍候，或過幾分鐘再來。',

  failed: '網站沒有回應',
  failedNext: '故障出在我們這邊，與您和您的裝置無關。請過幾分鐘再試。',
  refused: '本網站不接受此請求',
  refusedNext: '這是網站負責人的決定。如果您認為這是誤判，請告知他們，並提供下方的參考編號。',
  hammering: '有非常多的請求來自您的網路連線',
  hammeringNext: '這可能與您無關：在家中、公司或行動網路中，多人往往共用同一條連線。請稍候片刻，然後重試。',

  contact: '如果情況緊急',
  phone: '電話：{phone}',
  mail: '電子郵件：{mail}',
  meanwhile: '在此期間可用：{link}',
  home: '首頁',
  languages: '其他語言',
  reference: '參考編號：{ray}',

  progress: '計算進度',
  timeLeft: '大約還需{time}',
  opening: '已完成。正在開啟頁面。',
  sending: '已完成。正在再次送出。',

  moment: '請稍候',
}
