// Sliders over the stored steps, the quiz, and folds that open for a link or for the printer.

for (const figure of document.querySelectorAll(".course-steps")) {
  const steps = [...figure.querySelectorAll(".course-step")];
  const slider = figure.querySelector("input");
  const [back, on] = figure.querySelectorAll("button");
  const show = (number) => {
    const now = Math.max(0, Math.min(steps.length - 1, number));
    steps.forEach((step, i) => (step.hidden = i !== now));
    slider.value = now;
    const caption = steps[now].dataset.caption;
    slider.setAttribute("aria-valuetext", caption);
    figure.querySelector("figcaption").textContent = `${caption} · ${now + 1} of ${steps.length}`;
  };
  slider.addEventListener("input", () => show(Number(slider.value)));
  back.addEventListener("click", () => show(Number(slider.value) - 1));
  on.addEventListener("click", () => show(Number(slider.value) + 1));
  figure.querySelector(".course-slider").hidden = false;
  show(0);
}

// What a link points to is shown, wherever it is folded.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target && target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}
window.addEventListener("hashchange", unfold);
unfold();

const quiz = document.getElementById("course-quiz");
if (quiz) {
  const packed = atob(document.getElementById("course-questions").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  new Response(stream).json().then((questions) => play(quiz, questions));
}

function shuffled(list) {
  const drawn = [...list];
  for (let i = drawn.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [drawn[i], drawn[j]] = [drawn[j], drawn[i]];
  }
  return drawn;
}

function made(tag, attributes, text = "") {
  const element = Object.assign(document.createElement(tag), attributes);
  if (text) element.textContent = text;
  return element;
}

// What is missed comes back at the end, until the first answer to it is right.
function play(quiz, questions) {
  const form = quiz.querySelector("form");
  const place = quiz.querySelector(".course-question");
  let waiting = [];
  let asked = new Map();

  const begin = (chosen) => {
    waiting = shuffled(chosen);
    asked = new Map(chosen.map((question) => [question, []]));
    ask();
  };

  const ask = () => {
    const question = waiting[0];
    place.replaceChildren();
    if (!question) return sum();
    const again = asked.get(question).length ? " · once more" : "";
    place.append(made("p", { className: "about" }, `${waiting.length} to go · ${question.about}${again}`));
    place.append(made("div", { innerHTML: question.prompt }));
    const next = made("button", { type: "button", disabled: true }, "Next");
    let first = true;
    for (const choice of shuffled(question.choices)) {
      const button = made("button", { type: "button", className: "choice", innerHTML: choice.text });
      const reply = made("div", { className: "reply", hidden: true });
      reply.setAttribute("role", "status");
      button.addEventListener("click", () => {
        if (first) asked.get(question).push(choice.right);
        first = false;
        button.classList.add(choice.right ? "right" : "wrong");
        reply.innerHTML = `<p><b>${choice.right ? "✔ Right." : "✘ Not so."}</b></p>${choice.reply}`;
        if (choice.right) {
          const link = made("a", { href: question.where.link }, question.where.name);
          const shown = made("p", {}, "Shown in ");
          shown.append(link, ".");
          reply.append(shown);
        }
        reply.hidden = false;
        next.disabled = false;
      });
      place.append(button, reply);
    }
    next.addEventListener("click", () => {
      waiting.shift();
      if (!asked.get(question).at(-1)) waiting.push(question);
      ask();
    });
    place.append(next);
    place.focus();
  };

  const sum = () => {
    const missed = [...asked].filter(([, answers]) => answers.includes(false)).map(([question]) => question);
    place.append(made("p", {}, `${asked.size - missed.length} of ${asked.size} right at the first answer.`));
    const list = made("ul", {});
    for (const question of missed) {
      const item = made("li", {});
      item.append(made("div", { innerHTML: question.prompt }), made("a", { href: question.where.link }, question.where.name));
      list.append(item);
    }
    place.append(list);
    if (missed.length) {
      const again = made("button", { type: "button" }, "Once more: what was missed");
      again.addEventListener("click", () => begin(missed));
      place.append(again);
    }
    place.focus();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const lesson = form.elements.lesson.value;
    const found = shuffled(questions.filter((question) => !lesson || question.lesson === lesson));
    begin(found.slice(0, Number(form.elements.count.value) || found.length));
  });
  quiz.hidden = false;
}
