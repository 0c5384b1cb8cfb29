// Before the first paint: the theme that was chosen, or the one of the system.
(function () {
  var dark = window.matchMedia('(prefers-color-scheme: dark)');
  function chosen() { try { return localStorage.getItem('raceway.theme') || 'auto'; } catch (e) { return 'auto'; } }
  function apply() {
    var theme = chosen();
    document.documentElement.dataset.theme = theme === 'auto' ? (dark.matches ? 'dark' : 'light') : theme;
    document.dispatchEvent(new Event('themed'));
  }
  var asked = new URLSearchParams(location.search).get('theme');
  if (asked) { try { localStorage.setItem('raceway.theme', asked); } catch (e) { /* private window */ } }
  window.raceway = { theme: chosen, applyTheme: apply };
  if (dark.addEventListener) dark.addEventListener('change', apply);
  apply();
})();
