// Text and code are enlarged while they fit; what does not fit is shrunk, to seven tenths at most; what is still too tall
// scrolls.
function fit(body) {
  const fits = () => body.scrollHeight <= body.clientHeight + 1 && body.scrollWidth <= body.clientWidth + 1;
  const fixed = body.querySelector(".figure, img") || body.closest(".title");
  const largest = fixed ? 1 : body.querySelector("details") ? 1.2 : 1.4;
  const shrink = (least) => {
    for (let size = largest; size > least; size -= 0.04) {
      body.parentElement.style.setProperty("--fit", size);
      if (fits()) return true;
    }
    return false;
  };
  body.classList.remove("wraps");
  // The numbers of a wide table go on two lines before they are small.
  if (!shrink(0.95)) {
    body.classList.add("wraps");
    shrink(0.7);
  }
}

// All pages before the first is shown, for print and for the overview; then each as it is shown, where lines can break
// elsewhere.
function fitAll() {
  document.body.classList.add("measuring");
  document.querySelectorAll(".body").forEach(fit);
  document.body.classList.remove("measuring");
}

// The arrows to the side turn pages; those up and down go to the beginning of another section.
const section = (step) => () => {
  const { h, v } = Reveal.getIndices();
  if (h + step < Reveal.getHorizontalSlides().length) Reveal.slide(step < 0 && v > 0 ? h : Math.max(0, h + step), 0, -1);
};

// When the pictures are there, and have their sizes.
window.addEventListener("load", () => {
  fitAll();
  Reveal.initialize({
    width: 1280, height: 720, margin: 0.02, center: false, hash: true, slideNumber: "c/t", transition: "none",
    backgroundTransition: "none", navigationMode: "linear", pdfSeparateFragments: false, pdfMaxPagesPerSlide: 1,
    keyboard: { 38: section(-1), 40: section(1) },
  });
  Reveal.addKeyBinding({ keyCode: 83, key: "S", description: "Speaker notes" }, speak);
  for (const shown of ["ready", "slidechanged", "fragmentshown", "fragmenthidden"]) {
    Reveal.on(shown, () => Reveal.isPrintView() || Reveal.getCurrentSlide().querySelectorAll(".body").forEach(fit));
  }
  Reveal.on("slidechanged", tell);
  setInterval(tick, 1000);
});

// What is folded needs room when it is opened.
document.addEventListener("toggle", (event) => fit(event.target.closest(".body")), true);

for (const steps of document.querySelectorAll(".steps")) {
  steps.addEventListener("click", () => Reveal.next());
}
