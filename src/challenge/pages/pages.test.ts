import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { takeParameter } from '../cookies.ts'
import { SOLVER } from '../solver-bundle.ts'
import { CATALOGUES } from './languages/all.ts'
import { PAGE_STATES, type PageFacts, type PageSettings, type PageState } from './page-state.ts'
import { Pages, type RenderedPage } from './pages.ts'

const SETTINGS: PageSettings = {
  name: 'Ville d’Exemple',
  logo: `data:image/svg+xml;base64,${'PHN2Zz4'.repeat(20)}`,
  phone: '+33 1 23 45 67 89',
  mail: 'contact@example.org',
  link: { href: 'https://urgence.example.org/?a=1&b=2', text: 'Démarches par téléphone' },
  notice: { fr: 'Ouvert de 9 h à 17 h.', en: 'Open from 9 to 5.' },
}
const TICKET = '1.AAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBB'
const FACTS: PageFacts = {
  ray: '8f3a2c1d9e7b-04',
  challenge: '1.h4k3zz.MTkyLjAuMi4wLzI0.AAAAAAAAAAAAAAAAAAAAAA',
  bits: 14,
  price: 16,
  waitS: [20, 40],
  ahead: [120, 180],
  pollS: 8,
  retryHref: '/services',
  stopHref: `/services?digue=s.${TICKET}`,
  sealed: 'c2VhbGVk',
  tries: 1,
}
const pages = new Pages(SETTINGS, SOLVER)
const bare = new Pages({}, SOLVER)
const EVERY = PAGE_STATES.flatMap((state) => CATALOGUES.map(({ tag }) => ({ state, tag })))

const textOf = (page: RenderedPage) => page.plain.toString()
const fieldOf = (page: RenderedPage, name: string) => page.fields[page.fields.indexOf(name) + 1]!
const html = (state: PageState, facts: Partial<PageFacts> = {}, language = 'en') =>
  textOf(pages.render(state, language, { ...FACTS, ...facts }))

function inline(text: string, name: 'script' | 'style'): string | undefined {
  return new RegExp(`<${name}>([^]*?)</${name}>`).exec(text)?.[1]
}

describe('pages', () => {
  test('every state in every language is one response of less than 20 kB, and half of it in gzip', () => {
    for (const { state, tag } of EVERY) {
      const page = pages.render(state, tag, FACTS)
      const { length } = page.plain
      assert.ok(length < 20_000, `${state} ${tag}: ${length}`)
      assert.ok(page.gzip().length < 10_000, `${state} ${tag}: ${page.gzip().length} in gzip`)
      assert.deepEqual(gunzipSync(page.gzip()), page.plain)
    }
  })

  test('a logo that leaves no room for the script is on the pages without one', () => {
    const logo = `data:image/png;base64,${'A'.repeat(5462)}`
    const large = new Pages({ ...SETTINGS, logo }, SOLVER)
    for (const { state, tag } of EVERY)
      assert.ok(large.render(state, tag, FACTS).plain.length < 20_000, `${state} ${tag}`)
    assert.ok(textOf(large.render('wait', 'ru', FACTS)).includes(logo))
    assert.ok(!textOf(large.render('price', 'ru', FACTS)).includes(logo))
  })

  test('nothing is fetched from anywhere', () => {
    for (const { state, tag } of EVERY) {
      const text = textOf(bare.render(state, tag, FACTS))
      assert.doesNotMatch(text, /\ssrc=|@import|url\(|https?:\/\//)
      assert.doesNotMatch(text, /<link (?!rel=icon href="data:,")/)
    }
  })

  test('the language is said in the field and on the element', () => {
    for (const { tag, direction } of CATALOGUES) {
      const page = pages.render('wait', tag, FACTS)
      assert.equal(fieldOf(page, 'content-language'), tag)
      assert.ok(textOf(page).startsWith(`<!doctype html><html lang=${tag} dir=${direction}>`))
    }
  })

  test('a language that is none of ours gets the operator’s, and is not kept', () => {
    const german = new Pages({ language: 'de-CH' }, SOLVER)
    for (const language of ['', 'tlh', '<script>', '__proto__'])
      assert.equal(fieldOf(german.render('wait', language, FACTS), 'content-language'), 'de')
    assert.equal(fieldOf(german.render('wait', 'zh-tw', FACTS), 'content-language'), 'zh-Hant')
  })

  test('the policy allows these very bytes of script and style, and no script where there is none', () => {
    for (const { state, tag } of EVERY) {
      const page = pages.render(state, tag, FACTS)
      const policy = fieldOf(page, 'content-security-policy')
      const text = textOf(page)
      const script = inline(text, 'script')
      const hash = (part: string) => `'sha256-${createHash('sha256').update(part).digest('base64')}'`
      assert.ok(policy.startsWith("default-src 'none';"))
      assert.match(policy, /form-action 'self'; base-uri 'none'; frame-ancestors 'none'/)
      assert.ok(policy.includes(`style-src ${hash(inline(text, 'style')!)};`))
      if (script === undefined) assert.doesNotMatch(policy, /script-src|worker-src|connect-src/)
      else
        assert.ok(policy.includes(`script-src ${hash(script)} 'wasm-unsafe-eval' blob:; worker-src blob:;`))
      assert.equal(script !== undefined, state === 'price' || state === 'form' || state === 'resend')
      assert.doesNotMatch(text, / style=| on[a-z]+=|javascript:/)
    }
  })

  test('what a stranger wrote stays text', () => {
    const nasty = '"><script>alert(1)</script><b x=\''
    for (const state of PAGE_STATES) {
      const text = html(state, {
        ray: nasty,
        challenge: nasty,
        sealed: nasty,
        retryHref: `//evil.example/${nasty}?a=${nasty}&digue=${nasty}`,
        stopHref: `/\\evil.example/${nasty}`,
      })
      assert.doesNotMatch(text, /<script>alert|href="\/\/|href="\/\\|<b x/)
    }
  })

  test('no target makes another element or leads to another host', () => {
    const tagsOf = (text: string) => text.match(/<[a-z!/][^\s>]*/g)!.length
    const links = (text: string) =>
      [...text.matchAll(/ (?:href|action)="([^"]*)"/g)].map((match) => match[1]!)
    const plain = tagsOf(html('wait', { retryHref: '/a?b' }))
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (target, ray) => {
        const text = html('wait', { retryHref: `/${target}?b`, ray })
        assert.ok(tagsOf(text) === plain || !text.includes('<nav'))
        for (const href of links(text).filter(
          (link) => !/^(tel:|mailto:|data:|https:\/\/urgence)/.test(link),
        ))
          assert.equal(new URL(href.replaceAll('&amp;', '&'), 'http://site.example/x').host, 'site.example')
      }),
    )
  })

  test('the operator’s words stay text too', () => {
    const nasty = '<img src=x>"\''
    const text = textOf(
      new Pages(
        {
          name: nasty,
          logo: 'https://elsewhere.example/x.png',
          phone: nasty,
          mail: `${nasty}@example.org`,
          link: { href: 'javascript:alert(1)', text: nasty },
          notice: nasty,
        },
        SOLVER,
      ).render('wait', 'fr', FACTS),
    )
    assert.doesNotMatch(text, /<img|javascript:|elsewhere/)
  })

  test('a notice is in the reader’s language, else in the operator’s, and says which', () => {
    const notices = { de: 'Geöffnet.', 'fr-FR': 'Ouvert.', tlh: 'nuqneH' }
    const noticeOf = (settings: PageSettings, language: string) =>
      /<div class=say lang=(\S+) dir=auto>([^<]*)/
        .exec(textOf(new Pages(settings, SOLVER).render('wait', language, FACTS)))
        ?.slice(1)
    assert.deepEqual(noticeOf({ notice: notices }, 'de'), ['de', 'Geöffnet.'])
    assert.deepEqual(noticeOf({ notice: notices }, 'ar'), ['fr', 'Ouvert.'])
    assert.deepEqual(noticeOf({ notice: { de: 'Geöffnet.' } }, 'ar'), ['de', 'Geöffnet.'])
    assert.deepEqual(noticeOf({ notice: 'Abierto.', language: 'es' }, 'ru'), ['es', 'Abierto.'])
    assert.equal(noticeOf({ notice: { tlh: 'nuqneH' } }, 'ru'), undefined)
    assert.equal(noticeOf({}, 'ru'), undefined)
  })

  test('the waiting room says place, wait and countdown, and leads on and out', () => {
    const text = html('wait')
    assert.match(text, /Ahead of you in line: <b>120–180<\/b>/)
    assert.match(text, /Estimated wait: <b>20–40 seconds<\/b>/)
    assert.match(
      text,
      /<span class=r>8<\/span><span class=n aria-hidden=true data-n="8\n7\n6\n5\n4\n3\n2\n1\n0\n/,
    )
    assert.match(text, /<a id=go href="\/services">If nothing happens after that, try again<\/a>/)
    assert.ok(text.includes(`<a href="/services?digue=s.${TICKET}">Stop automatic reloading</a>`))
  })

  test('stopped, it does not count and has no second way to stop', () => {
    const text = html('stopped')
    assert.doesNotMatch(text, /class=n|Stop automatic/)
    assert.match(text, /<a id=go href="\/services">Try again<\/a>/)
  })

  test('what the script needs is in the data, and nowhere without a challenge', () => {
    assert.match(
      html('price'),
      /<a id=go href="\/services" data-challenge="1\.h4k3zz\.MTkyLjAuMi4wLzI0\.A{22}" data-bits=14 data-price=16 data-poll=8 data-tries=1>/,
    )
    assert.match(
      html('form'),
      /<form id=go method=post action="\/\.well-known\/digue\/replay" data-challenge=/,
    )
    assert.match(html('form'), /<input type=hidden name=sealed value="c2VhbGVk"><button>Send again<\/button>/)
    assert.match(html('resend'), /<p id=go class=act data-challenge=/)
    assert.doesNotMatch(html('wait'), /data-challenge/)
    const without = textOf(pages.render('form', 'en', { ray: 'r', retryHref: '/', sealed: 'x' }))
    assert.doesNotMatch(without, /data-challenge/)
  })

  test('a long estimate, a long countdown, and none at all', () => {
    assert.match(html('wait', { waitS: [100, 500] }), /<b>1–9 minutes<\/b>/)
    assert.match(html('wait', { pollS: 300 }), /<span class=k>300\u00a0s\.<\/span>/)
    const { waitS: _, ahead: __, pollS: ___, ...bareFacts } = FACTS
    const text = textOf(pages.render('wait', 'en', bareFacts))
    assert.doesNotMatch(text, /<b>|class=n|Reloading sooner/)
    assert.match(text, />Try again<\/a>/)
  })

  test('numbers that are none do no harm', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -5, 1e300, 0.5]) {
      const text = html('price', { waitS: [value, value], ahead: [value, value], pollS: value, bits: value })
      assert.match(text, /<a id=go /)
    }
  })

  describe('the switch of languages', () => {
    const linksOf = (retryHref: string, state: PageState = 'wait') =>
      [...html(state, { retryHref }).matchAll(/<a href="(\?[^"]*)" lang=(\S+) hreflang=\2>/g)].map(
        (match) => [match[2]!, match[1]!.replaceAll('&amp;', '&')],
      )
    const german = (retryHref: string, state?: PageState) =>
      new Map(linksOf(retryHref, state) as [string, string][]).get('de')

    test('has all but the language of the page', () => {
      assert.deepEqual(
        linksOf('/').map(([tag]) => tag),
        CATALOGUES.map(({ tag }) => tag).filter((tag) => tag !== 'en'),
      )
    })

    test('keeps the query and the ticket, and forgets the choice before', () => {
      assert.equal(german('/'), '?digue=l.de')
      assert.equal(german('/services?a=1&b=%20'), '?a=1&b=%20&digue=l.de')
      assert.equal(german(`/?digue=${TICKET}`), `?digue=l.de.${TICKET}`)
      assert.equal(german(`/?a=1&digue=l.fr.${TICKET}`), `?a=1&digue=l.de.${TICKET}`)
      assert.equal(german('/?digue=l.zh-Hant'), '?digue=l.de')
    })

    test('keeps the page stopped', () => {
      assert.equal(german('/', 'stopped'), '?digue=s.l.de')
      assert.equal(german(`/?digue=s.l.fr.${TICKET}`, 'stopped'), `?digue=s.l.de.${TICKET}`)
    })

    test('says a choice as the edge reads it', () => {
      const href = german(`/services?q=x&digue=${TICKET}`)!
      assert.deepEqual(takeParameter(`/services${href}`), {
        target: '/services?q=x',
        token: `l.de.${TICKET}`,
      })
    })

    test('is left out where the query is too long to be repeated, and where a form would be lost', () => {
      assert.deepEqual(linksOf(`/?q=${'a'.repeat(500)}`), [])
      assert.ok(html('wait', { retryHref: `/?q=${'a'.repeat(8000)}` }).length < 20_000)
      assert.deepEqual(linksOf('/', 'form'), [])
    })
  })

  test('the committed script is what the build makes of its source', () => {
    const root = path.join(import.meta.dirname, '../../..')
    const { status, stderr } = spawnSync(
      process.execPath,
      ['-C', 'source', 'scripts/build-page-script.ts', '--check'],
      { cwd: root, encoding: 'utf8' },
    )
    assert.equal(status, 0, stderr)
  })

  test('a solver that would end its script element is refused', () => {
    assert.throws(() => new Pages({}, 'x="</script>"'), /expected no "<\/script"/)
  })
})
