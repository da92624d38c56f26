// L, R and B go to the next uncovered line, region and branch; with shift, to the one before.
document.addEventListener('keydown', (event) => {
  const selectors = {
    l: 'td.uncovered-line',
    r: 'span.region.red',
    b: 'span.red.branch',
  };
  const selector = selectors[event.key.toLowerCase()];
  if (!selector || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const all = Array.from(document.querySelectorAll(selector));
  if (all.length === 0) {
    return;
  }
  const old = document.querySelector('.selected');
  const at = all.indexOf(old);
  const step = event.shiftKey ? -1 : 1;
  const start = at < 0 && step < 0 ? 0 : at;
  const next = all[(start + step + all.length) % all.length];
  if (old) {
    old.classList.remove('selected');
  }
  next.classList.add('selected');
  next.scrollIntoView({ block: 'center' });
});
