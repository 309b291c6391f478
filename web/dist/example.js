// The script of the example page: what a site may do with the widget.

const byId = (id) => document.getElementById(id);

byId("open-chat").addEventListener("click", () => window.OnyaWidget?.open());

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  // A real site would fetch a fresh token from its own server here, each time that it is asked.
  if (token !== "") window.OnyaWidget?.setToken(() => Promise.resolve(token));
});

byId("sign-out").addEventListener("click", () => window.OnyaWidget?.setToken(null));
