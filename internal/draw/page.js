'use strict';
(() => {
  const find = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const data = JSON.parse(find('script.data').textContent);
  const tree = find('.tree'), stage = find('.stage'), panel = find('.details');
  document.documentElement.classList.add('live');
  if (!tree) return;
  tree.classList.add('chart');

  // A node's place on the page and what is known of it have the same index.
  const links = all('.node', tree);
  const items = links.map(link => link.closest('li'));
  const index = new Map(links.map((link, i) => [link, i]));
  const byLink = new Map(links.map((link, i) => [link.getAttribute('href'), i]));
  const byID = new Map(data.nodes.map((n, i) => [n.id, i]));
  const children = data.nodes.map(() => []);
  data.nodes.forEach((n, i) => { if (n.parent >= 0) children[n.parent].push(i); });
  const initial = items.map(li => li.classList.contains('closed'));
  const means = new Map(data.means);

  // indices opens what is written as first, how many, first, how many.
  function indices(runs) {
    const list = [];
    for (let k = 0; runs && k < runs.length; k += 2) {
      for (let i = 0; i < runs[k + 1]; i++) list.push(runs[k] + i);
    }
    return list;
  }

  // make builds an element; whatever is text stays text.
  function make(tag, name, ...content) {
    const e = document.createElement(tag);
    if (name) e.className = name;
    e.append(...content.filter(c => c !== null && c !== undefined));
    return e;
  }

  // Subtrees that are open or closed.
  function close(i, closed) {
    if (!children[i].length) return;
    items[i].classList.toggle('closed', closed);
    links[i].setAttribute('aria-expanded', String(!closed));
  }
  const isClosed = i => items[i].classList.contains('closed');
  function reveal(i) {
    for (let p = data.nodes[i].parent; p >= 0; p = data.nodes[p].parent) close(p, false);
  }

  // What the filters and the search let through, and the way to it.
  const search = find('.tools .search'), found = find('.found');
  const texts = data.nodes.map(n => [n.id, n.layer, n.variant, n.reason, ...(n.groups || []), ...(n.images || [])].join('\n').toLowerCase());
  function filter() {
    const off = new Set(all('.filter[aria-pressed=false]').map(b => b.dataset.action));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const match = data.nodes.map((n, i) => !off.has(n.action) && words.every(w => texts[i].includes(w)));
    const shown = match.slice();
    for (let i = shown.length - 1; i >= 0; i--) {
      const p = data.nodes[i].parent;
      if (p >= 0 && shown[i]) shown[p] = true;
      if (words.length && children[i].length) close(i, !children[i].some(c => shown[c]));
    }
    if (!words.length && filter.searched) initial.forEach((closed, i) => close(i, closed));
    filter.searched = words.length > 0;
    items.forEach((li, i) => {
      li.hidden = !shown[i];
      li.classList.toggle('passed', shown[i] && !match[i]);
    });
    all('.row', tree).forEach(row => { row.hidden = all('li', row).every(li => li.hidden || li.closest('.images')); });
    found.hidden = shown.some(Boolean);
    focusable();
  }
  search.addEventListener('input', filter);
  all('.filter').forEach(button => button.addEventListener('click', () => {
    button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') !== 'true'));
    filter();
  }));

  // Views: open, closed, as a list, larger and smaller.
  const sizes = [4, 5, 6, 7.5, 9, 11, 13, 15, 18, 22];
  let size = 6;
  function zoom(to) {
    const across = (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth;
    const down = (stage.scrollTop + stage.clientHeight / 2) / stage.scrollHeight;
    size = Math.max(0, Math.min(sizes.length - 1, to));
    tree.style.fontSize = sizes[size] + 'px';
    find('.fit').textContent = Math.round(sizes[size] / 13 * 100) + '%';
    stage.scrollLeft = across * stage.scrollWidth - stage.clientWidth / 2;
    stage.scrollTop = down * stage.scrollHeight - stage.clientHeight / 2;
  }
  find('.less').addEventListener('click', () => zoom(size - 1));
  find('.more').addEventListener('click', () => zoom(size + 1));
  find('.fit').addEventListener('click', () => zoom(6));
  find('.open').addEventListener('click', () => { items.forEach((_, i) => close(i, false)); focusable(); });
  const kept = data.nodes.map(() => true);
  for (let i = kept.length - 1; i >= 0; i--) {
    const n = data.nodes[i];
    if (n.parent >= 0 && !(kept[i] && n.action === 'keep')) kept[n.parent] = false;
  }
  if (!all('.filter').length) find('.fold').textContent = 'Fold';
  find('.fold').addEventListener('click', () => {
    items.forEach((_, i) => close(i, data.nodes[i].action ? kept[i] && data.nodes[i].action === 'keep' : data.nodes[i].parent >= 0));
    focusable();
  });
  find('.outline').addEventListener('click', e => {
    e.target.setAttribute('aria-pressed', String(!tree.classList.toggle('chart')));
  });
  stage.addEventListener('wheel', e => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    zoom(size + (e.deltaY < 0 ? 1 : -1));
  }, { passive: false });
  let drag = null;
  stage.addEventListener('pointerdown', e => {
    if (e.button === 0 && e.pointerType === 'mouse' && !e.target.closest('.card')) {
      drag = { x: e.clientX + stage.scrollLeft, y: e.clientY + stage.scrollTop };
    }
  });
  addEventListener('pointermove', e => {
    if (!drag) return;
    stage.classList.add('dragged');
    stage.scrollLeft = drag.x - e.clientX;
    stage.scrollTop = drag.y - e.clientY;
  });
  addEventListener('pointerup', () => { drag = null; stage.classList.remove('dragged'); });

  // The keyboard. One node of the tree can be reached with Tab, the others from
  // it with the arrows.
  let current = 0;
  const visible = i => links[i].getClientRects().length > 0;
  function focusable(i = current) {
    if (!visible(i)) i = links.findIndex((_, k) => visible(k));
    if (i < 0) return;
    links[current].tabIndex = -1;
    current = i;
    links[i].tabIndex = 0;
  }
  function step(from, by) {
    for (let i = from + by; i >= 0 && i < links.length; i += by) if (visible(i)) return i;
    return from;
  }
  const keys = {
    ArrowDown: i => step(i, 1),
    ArrowUp: i => step(i, -1),
    Home: () => step(-1, 1),
    End: () => step(links.length, -1),
    ArrowRight: i => {
      if (isClosed(i)) { close(i, false); return i; }
      return children[i].find(visible) ?? i;
    },
    ArrowLeft: i => {
      if (children[i].length && !isClosed(i)) { close(i, true); return i; }
      return data.nodes[i].parent >= 0 ? data.nodes[i].parent : i;
    },
    ' ': i => { links[i].click(); return i; },
  };
  tree.addEventListener('keydown', e => {
    const i = index.get(e.target);
    if (i === undefined || !keys[e.key] || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    const to = keys[e.key](i);
    focusable(to);
    links[to].focus();
  });
  tree.addEventListener('click', e => {
    const toggle = e.target.closest('.toggle');
    if (toggle) {
      const i = index.get(toggle.previousElementSibling);
      close(i, !isClosed(i));
      focusable();
      return;
    }
    const i = index.get(e.target.closest('.node'));
    if (i === undefined) return;
    focusable(i);
    if (location.hash === links[i].getAttribute('href')) show(i); // there is no hashchange
  });
  addEventListener('keydown', e => {
    if (e.key === '/' && !e.target.matches('input')) {
      e.preventDefault();
      search.focus();
    } else if (e.key === 'Escape') {
      if (e.target === search && search.value) { search.value = ''; filter(); return; }
      if (!panel.hidden) leave();
    }
  });

  // The details of one node.
  const code = (text, name) => make('code', name, make('bdi', '', text));
  const chain = via => via && via.length ? make('ol', 'chain', ...via.map(v => make('li', '', make('bdi', '', v)))) : null;
  const used = via => via && via.length ? make('div', 'place', 'used in', chain(via)) : null;
  function link(i) {
    const a = make('a', '', make('bdi', '', data.nodes[i].id));
    a.href = links[i].getAttribute('href');
    return make('li', '', a);
  }
  function section(title, count, ...content) {
    return [make('h3', '', title, count === null ? null : make('small', '', ' ' + count)), ...content];
  }
  function reason(r) {
    const box = make('li', 'reason', make('span', 'kind', r.kind), code(r.name));
    if (r.old || r.new) {
      box.append(make('div', 'change',
        r.old ? make('del', '', code(r.old)) : make('span', 'kind', 'nothing'), '→',
        r.new ? make('ins', '', code(r.new)) : make('span', 'kind', 'nothing')));
    }
    if (r.place) box.append(make('div', 'place', 'written in ', make('bdi', '', r.place)));
    const via = used(r.via);
    if (via) box.append(via);
    return box;
  }
  function inputs(list) {
    const rows = list.map(k => {
      const [kind, name, digest, shown, file, , ...via] = data.inputs[k].map(t => data.texts[t]);
      const line = data.inputs[k][5];
      const place = file && line ? `${file}:${line}` : file;
      const body = make('tbody', '', make('tr', '', make('td', '', kind), make('td', '', make('bdi', '', name)), make('td', 'digest', digest || '')));
      const more = [shown ? make('div', 'shown', '= ' + shown) : null, place ? make('div', 'place', 'written in ' + place) : null, used(via)];
      if (more.some(Boolean)) {
        const cell = make('td', 'more', ...more);
        cell.colSpan = 3;
        body.append(make('tr', '', cell));
      }
      return { body, text: [kind, name, digest, shown, place, ...via].join('\n').toLowerCase() };
    });
    const field = make('input', 'search');
    field.type = 'search';
    field.placeholder = 'Filter inputs';
    field.setAttribute('aria-label', 'Filter inputs');
    field.addEventListener('input', () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach(r => { r.body.hidden = !words.every(w => r.text.includes(w)); });
    });
    const head = make('tr', '', make('th', '', 'kind'), make('th', '', 'name'), make('th', '', 'digest'));
    return [field, make('table', '', make('thead', '', head), ...rows.map(r => r.body))];
  }
  function facts(n) {
    const list = [['layer', n.layer], ['variant', n.variant], ['written in', n.place], ['groups', (n.groups || []).join(', ')], ['images', (n.images || []).join(', ')]];
    const dl = make('dl', '');
    for (const [name, value] of list) if (value) dl.append(make('dt', '', name), make('dd', '', code(value)));
    return dl;
  }
  function show(i) {
    const n = data.nodes[i];
    const shut = make('button', 'close', '✕');
    shut.type = 'button';
    shut.setAttribute('aria-label', 'Close details');
    shut.addEventListener('click', leave);
    const parts = [make('div', 'head', make('h2', '', make('bdi', '', n.id)), shut)];
    if (n.action) parts.push(make('p', 'means ' + (links[i].classList[1] || ''), make('b', '', n.action), ': ' + (n.reason || means.get(n.action) || '')));
    parts.push(facts(n));
    if (n.reasons) parts.push(...section('Reasons', n.reasons.length, make('ul', '', ...n.reasons.map(k => reason(data.reasons[k])))));
    const path = [];
    for (let p = i; p >= 0; p = data.nodes[p].parent) path.unshift(p);
    if (path.length > 1) parts.push(...section('Stands on', null, make('ol', 'path chained', ...path.map(link))));
    if (children[i].length) parts.push(...section('Below it', children[i].length, make('ul', 'path', ...children[i].map(link))));
    if (n.key || n.baseKey) {
      parts.push(...section(n.sameKey ? 'Key, the same at the base' : 'Key', null, n.key ? code(n.key, 'hash') : make('p', 'means', 'known once its parent is built')));
      if (n.baseKey) parts.push(...section('Key at the base', null, code(n.baseKey, 'hash')));
    }
    const list = indices(n.inputs);
    if (list.length) parts.push(...section('Inputs', list.length, ...inputs(list)));
    panel.replaceChildren(...parts);
    panel.hidden = false;
    panel.scrollTop = 0;
    links.forEach(l => l.removeAttribute('aria-current'));
    links[i].setAttribute('aria-current', 'true');
    if (items[i].hidden) { search.value = ''; all('.filter').forEach(b => b.setAttribute('aria-pressed', 'true')); filter(); }
    reveal(i);
    focusable(i);
    links[i].scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
  function leave() {
    panel.hidden = true;
    links.forEach(l => l.removeAttribute('aria-current'));
    history.replaceState(null, '', location.pathname + location.search);
    links[current].focus({ preventScroll: true });
  }
  function follow() {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* it is taken as it is */ }
    const i = byLink.get(location.hash) ?? byID.get(id);
    if (i !== undefined) show(i);
  }
  addEventListener('beforeprint', () => { all('details').forEach(d => { d.open = true; }); });
  addEventListener('hashchange', follow);
  links.forEach(l => { l.tabIndex = -1; });
  focusable();
  follow();
})();
