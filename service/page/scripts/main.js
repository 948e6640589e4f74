/** Entry of the page: shows the view that the address names. */

import { Api } from "./server/api.js";
import { Banner } from "./server/banner.js";
import { askForKey, openKeys } from "./parts/dialogs.js";
import { bind, startKeys } from "./parts/keys.js";
import { followAddress, route } from "./router.js";
import { startTheme } from "./parts/theme.js";
import { showView } from "./views.js";

const banner = new Banner(document.getElementById("banner"));
const api = new Api({ askForKey, onUnreachable: () => banner.show() });
banner.start(() => api.isThere());

startTheme();
startKeys();
bind({ key: "?", does: openKeys, text: "Keys", group: "Page", show: [] });

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  const segments = document.getElementById("segments");
  (segments?.querySelector("[tabindex='0']") ?? segments)?.focus();
});

followAddress(() => showView(document.getElementById("main"), route(), api));
