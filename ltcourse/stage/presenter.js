// The instructor's window: what to say, the next slide, and a clock beside the plan. The clock stands until it is
// started, can pause, and is kept where the slides are opened again.
let presenter = null;

const watch = {
  key: `ltcourse clock: ${document.title}`,
  state: { ran: 0, since: null }, // milliseconds that it ran before it was last started, and when that was
  load() {
    try { this.state = JSON.parse(localStorage.getItem(this.key)) || this.state; } catch { /* nothing is kept */ }
  },
  save() {
    try { localStorage.setItem(this.key, JSON.stringify(this.state)); } catch { /* it runs all the same */ }
  },
  minutes() {
    const { ran, since } = this.state;
    return (ran + (since === null ? 0 : Date.now() - since)) / 60000;
  },
  toggle() {
    const { ran, since } = this.state;
    this.state = since === null ? { ran, since: Date.now() } : { ran: ran + Date.now() - since, since: null };
    this.save();
  },
  reset() {
    this.state = { ran: 0, since: null };
    this.save();
  },
};
watch.load();

const clock = (minutes) => `${Math.floor(minutes)}:${String(Math.floor((minutes * 60) % 60)).padStart(2, "0")}`;

function tick() {
  if (!presenter || presenter.closed) return;
  const until = Number(Reveal.getCurrentSlide().dataset.until);
  const time = presenter.document.querySelector("#time");
  time.textContent = clock(watch.minutes());
  time.className = until && watch.minutes() > until ? "late" : "";
  presenter.document.querySelector("#plan").textContent = until ? `by the plan this slide ends at ${clock(until)}` : "";
  presenter.document.querySelector("#toggle").textContent = watch.state.since === null ? "Start" : "Pause";
}

// The next slide as a picture: its own elements once more, all that comes by key already there.
function preview(slide) {
  const holder = presenter.document.querySelector("#next");
  holder.replaceChildren();
  if (!slide) return;
  const copy = presenter.document.importNode(slide.querySelector(".page"), true);
  for (const step of copy.querySelectorAll(".fragment")) step.classList.add("visible");
  for (const step of copy.querySelectorAll(".steps .fragment, .keyed .fragment")) step.remove();
  const reveal = presenter.document.createElement("div");
  reveal.className = "reveal";
  reveal.append(copy);
  holder.append(reveal);
}

function tell() {
  if (!presenter || presenter.closed) return;
  const slide = Reveal.getCurrentSlide();
  const all = Reveal.getSlides();
  const next = all[all.indexOf(slide) + 1];
  const name = (page) => (page ? page.querySelector("h2").textContent : "the end");
  const said = slide.querySelector("aside.notes");
  presenter.document.querySelector("#here").textContent = name(slide);
  presenter.document.querySelector("#said").innerHTML = said ? said.innerHTML : "";
  presenter.document.querySelector("#then").textContent = `Next: ${name(next)}`;
  preview(next);
  tick();
}

// A file is an origin of its own each time that it is opened: another one cannot write into this window.
window.addEventListener("pagehide", () => presenter && presenter.close());

function speak() {
  presenter = window.open("", "notes", "width=1200,height=760");
  if (!presenter) return;
  const page = presenter.document;
  page.title = `Notes: ${document.title}`;
  page.head.replaceChildren(...[...document.querySelectorAll("style")].map((style) => page.importNode(style, true)));
  page.body.className = "presenter";
  page.body.innerHTML =
    '<div id="bar"><b id="time"></b> <button id="toggle"></button> <button id="reset">Reset</button> <span id="plan"></span></div>' +
    '<main><div><h1 id="here"></h1><div id="said"></div></div><div><p id="then"></p><div id="next"></div></div></main>';
  page.querySelector("#toggle").onclick = () => { watch.toggle(); tick(); };
  page.querySelector("#reset").onclick = () => { watch.reset(); tick(); };
  page.onkeydown = (event) => {
    if (event.target.tagName === "BUTTON" && [" ", "Enter"].includes(event.key)) return;
    if (["ArrowRight", "PageDown", " "].includes(event.key)) Reveal.next();
    if (["ArrowLeft", "PageUp"].includes(event.key)) Reveal.prev();
    if (["b", "B", "."].includes(event.key)) Reveal.togglePause();
  };
  tell();
}
