/** Shows the description of the API, in the theme of the page. */

const dark = matchMedia("(prefers-color-scheme: dark)");

function showTheme() {
  const kept = localStorage.getItem("theme");
  const root = document.documentElement;
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  root.classList.toggle("dark-mode", (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark");
}

dark.addEventListener("change", showTheme);
showTheme();
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  validatorUrl: null,
});
