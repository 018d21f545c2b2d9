// What JupyterLab asks of a prebuilt extension, written by hand: this one has a style sheet and no code.
{
  const sheet = new URL("style.css", document.currentScript.src).href;
  const load = () => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: sheet });
    document.head.append(link);
    return {};
  };
  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["ltcourse-style"] = { init: () => {}, get: async () => load };
}
