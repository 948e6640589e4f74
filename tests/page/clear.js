/**
 * Ends what a test left on the page: kept values, dialogs, menus, notices, a chosen theme, a mounted
 * player.
 *
 * @param {string|null} key API key that the tab then has
 */
async (key) => {
  const [{ guardLeaving }, { theme, toggleTheme }] = await Promise.all(
    ["router.js", "parts/theme.js"].map((name) => import(`/page/scripts/${name}`)));
  if (document.fullscreenElement) await document.exitFullscreen();
  document.querySelectorAll("dialog[open]").forEach((one) => one.close());
  document.querySelectorAll(":popover-open").forEach((one) => one.hidePopover());
  guardLeaving(null);
  for (const id of ["notices", "status", "alert"]) document.getElementById(id).replaceChildren();
  for (const name of ["player", "timeline"]) {
    window[name]?.destroy();
    delete window[name];
  }
  if (theme() === "dark") toggleTheme();
  delete document.documentElement.dataset.theme;
  localStorage.clear();
  sessionStorage.clear();
  if (key) sessionStorage.setItem("api-key", key);
  document.activeElement.blur();
  scrollTo(0, 0);
}
