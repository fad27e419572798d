/* One listener per event type. Everything works without this file; it only saves steps. */
(() => {
  'use strict';
  const one = (selector, root = document) => root.querySelector(selector);
  const typing = (target) => target.matches('input, textarea, select, [contenteditable]');
  const keysOff = () => localStorage.getItem('custody.keys') === 'off';

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-dialog], [data-close], [data-copy], [data-toggle], [data-add], [data-remove], [data-keys], [aria-disabled=true]');
    if (!button) {
      const open = one('details.sh-user[open]');
      if (open && !open.contains(event.target)) open.open = false;
      return;
    }
    if (button.getAttribute('aria-disabled') === 'true') { event.preventDefault(); return; }
    const { dialog, copy, toggle, add } = button.dataset;
    if (dialog) { const box = one(dialog); if (box) { event.preventDefault(); box.showModal(); } }
    if (button.hasAttribute('data-close')) button.closest('dialog')?.close();
    if (copy) { navigator.clipboard?.writeText(copy); say(button.dataset.done || ''); }
    if (toggle) {
      const panel = one(toggle);
      const open = panel.classList.toggle('open');
      button.setAttribute('aria-expanded', String(open));
      if (open) one('a', panel)?.focus();
    }
    if (add) { event.preventDefault(); addRow(button, add); }
    if (button.hasAttribute('data-remove')) { event.preventDefault(); removeRow(button); }
    if (button.hasAttribute('data-keys')) {
      localStorage.setItem('custody.keys', keysOff() ? 'on' : 'off');
      keyButtons();
    }
  });

  /* Condition rows: a <template> is cloned; names carry the next free number. */
  function addRow(button, selector) {
    const template = one(selector);
    const list = one(button.dataset.into);
    const number = String(1 + Math.max(-1, ...[...document.querySelectorAll('[data-n]')].map((row) => Number(row.dataset.n))));
    const row = template.content.firstElementChild.cloneNode(true);
    row.dataset.n = number;
    for (const field of row.querySelectorAll('[name]')) {
      field.name = field.name.replace('-N', '-' + number);
      if (field.id) field.id = field.id.replace('-N', '-' + number);
      if (field.type === 'hidden' && button.dataset.group) field.value = button.dataset.group;
    }
    for (const label of row.querySelectorAll('label[for]')) label.htmlFor = label.htmlFor.replace('-N', '-' + number);
    list.append(row);
    if (window.htmx) window.htmx.process(row);
    one('select', row)?.focus();
  }

  function removeRow(button) {
    const row = button.closest('[data-n]');
    const form = row.closest('form');
    row.remove();
    form?.dispatchEvent(new Event('change', { bubbles: true }));
  }

  function say(text) {
    const line = one('#say');
    if (line) line.textContent = text;
  }

  function keyButtons() {
    for (const button of document.querySelectorAll('[data-keys]')) button.setAttribute('aria-pressed', String(!keysOff()));
  }

  document.addEventListener('change', (event) => {
    if (event.target.matches('[data-autosubmit]')) event.target.form.requestSubmit();
  });

  document.addEventListener('input', (event) => {
    const wanted = event.target.dataset.confirm;
    if (wanted) one('[data-confirmed]', event.target.form).disabled = event.target.value.trim() !== wanted;
  });

  /* A form that starts work is sent once; the server tells a second one by its request key anyway. */
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!form.hasAttribute('data-once')) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = '1';
  });
  window.addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  });

  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      const side = one('.sh-side.open');
      if (side) { side.classList.remove('open'); const burger = one('.sh-burger'); burger.setAttribute('aria-expanded', 'false'); burger.focus(); }
      const menu = one('details.sh-user[open]');
      if (menu) { menu.open = false; one('summary', menu).focus(); }
    }
    if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey || keysOff() || one('dialog[open]')) return;
    const go = (target) => { if (target) { event.preventDefault(); target.focus(); target.scrollIntoView({ block: 'center' }); } };
    if (event.key === '/') go(one('[data-key="/"]'));
    if (event.key === 'f') go(one('[data-key="f"]') || one('#searchbar'));
    if (event.key === 'd') go(one('#h-d'));
    if (event.key === '?') one('#dlg-keys')?.showModal();
    if (event.key === 'j' || event.key === 'k') {
      const links = [...document.querySelectorAll('[data-list] a[data-item]')];
      if (!links.length) return;
      const here = links.indexOf(document.activeElement);
      const start = here < 0 ? links.findIndex((link) => link.getAttribute('aria-current')) : here;
      const next = here < 0 && start < 0 ? 0 : start + (event.key === 'j' ? 1 : -1);
      links[Math.max(0, Math.min(links.length - 1, next))].focus();
    }
  });

  /* Polling stops while nobody looks. */
  document.addEventListener('htmx:beforeRequest', (event) => {
    if (document.hidden && event.detail.elt.hasAttribute('data-poll')) event.preventDefault();
  });
  /* A refused decision (409, 422) carries its redrawn panel. */
  document.addEventListener('htmx:beforeSwap', (event) => {
    if ([409, 422].includes(event.detail.xhr.status)) { event.detail.shouldSwap = true; event.detail.isError = false; }
  });
  /* The act needs a fresh proof: send the form again as a whole page, which asks for it and then goes on. */
  document.addEventListener('htmx:afterRequest', (event) => {
    const { xhr, requestConfig } = event.detail;
    if (!xhr?.getResponseHeader('X-Step-Up')) return;
    const form = document.createElement('form');
    form.method = 'post';
    form.action = requestConfig.path;
    form.hidden = true;
    for (const [name, value] of requestConfig.formData.entries()) {
      const field = document.createElement('input');
      field.type = 'hidden';
      field.name = name;
      field.value = value;
      form.append(field);
    }
    document.body.append(form);
    form.submit();
  });
  document.addEventListener('htmx:sendError', (event) => {
    if (event.detail.elt.hasAttribute('data-poll')) say(event.detail.elt.dataset.lost || '');
  });
  /* The line that is read out says something only when its words change. */
  document.addEventListener('htmx:afterSwap', () => {
    const news = one('[data-say]');
    if (news && one('#say') && one('#say').textContent !== news.dataset.say) say(news.dataset.say);
  });
  /* What somebody typed or chose while a form was fetched anew is newer than the answer, so it stays. */
  const written = new WeakMap();
  const ticked = (box) => box.type === 'checkbox' || box.type === 'radio';
  const nameOf = (box) => (ticked(box) ? `${box.name}=${box.value}` : box.name);
  const valueOf = (box) => (ticked(box) ? box.checked : box.value);
  const boxes = (root) => [...root.querySelectorAll('input, select, textarea')].filter((box) => box.name && box.type !== 'hidden' && !box.closest('[hidden]'));
  const values = (root) => new Map(boxes(root).map((box) => [nameOf(box), valueOf(box)]));
  document.addEventListener('htmx:beforeRequest', (event) => {
    const { target, xhr } = event.detail;
    if (target.id === 'selection') written.set(xhr, values(target));
  });
  document.addEventListener('htmx:beforeSwap', (event) => {
    const { target, xhr } = event.detail;
    const sent = written.get(xhr);
    if (sent) written.set(xhr, new Map([...values(target)].filter(([name, value]) => sent.has(name) && sent.get(name) !== value)));
  });
  document.addEventListener('htmx:afterSwap', (event) => {
    const newer = written.get(event.detail.xhr);
    if (!newer) return;
    written.delete(event.detail.xhr);
    for (const [name, value] of newer) {
      const box = boxes(one('#selection')).find((candidate) => nameOf(candidate) === name);
      if (!box || valueOf(box) === value || (box.type === 'radio' && !value)) continue;
      if (ticked(box)) box.checked = value; else box.value = value;
      box.dispatchEvent(new Event('change', { bubbles: true }));
    }
  });
  /* On a narrow screen the chosen tab and the present stage are brought into view. */
  document.querySelectorAll('.c-tabs [aria-current], .c-steps .now').forEach((here) => {
    const strip = here.parentElement;
    if (strip.scrollWidth > strip.clientWidth) strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
  });
  keyButtons();
})();
