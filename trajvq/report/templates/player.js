"use strict";
// Plays the clips. A picture holds bands of frames side by side, one row per video; all clips show the same frame.
(() => {
  const SCALE = 4, GAP = 2, PER_SECOND = 8, COLORS = ["#30a46c", "#e5484d", "#0090ff", "#f5a623"];
  const controls = document.getElementById("controls");
  if (!controls) return;
  const play = document.getElementById("play"), slider = document.getElementById("frame");
  const position = document.getElementById("position");
  const players = [...document.querySelectorAll("figure.clip")].map(player);
  const visible = new Set(players);
  let frame = 0, timer = 0;

  function player(figure) {
    const image = figure.querySelector("img"), data = figure.dataset;
    const [frames, columns, width, height] = [data.frames, data.columns, data.width, data.height].map(Number);
    const rows = JSON.parse(data.rows);
    const paths = Object.values(JSON.parse(data.paths)).map((samples, k) => ({ samples, color: COLORS[k % 4] }));
    paths.sort((a, b) => b.samples.length - a.samples.length);  // fans below single paths
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
    canvas.width = (rows.length * (width + GAP) - GAP) * SCALE;
    canvas.height = height * SCALE;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", image.alt);
    const names = document.createElement("div");
    names.className = "faint";
    names.textContent = rows.join(" | ").replaceAll("_", " ");
    image.hidden = true;
    image.before(names, canvas);

    function plot(points, upTo, left, color, faint) {
      context.strokeStyle = context.fillStyle = color;
      context.globalAlpha = faint ? 0.35 : 0.9;
      context.lineWidth = faint ? 1.5 : 2.5;
      context.beginPath();
      let connected = false;
      points.forEach((point) => {
        if (!point) { connected = false; return; }
        const [x, y] = [(left + point[0]) * SCALE, point[1] * SCALE];
        if (connected) context.lineTo(x, y); else context.moveTo(x, y);
        connected = true;
      });
      context.stroke();
      if (points[upTo]) {
        context.beginPath();
        context.arc((left + points[upTo][0]) * SCALE, points[upTo][1] * SCALE, 4, 0, 7);
        context.fill();
      }
      context.globalAlpha = 1;
    }

    function render(frame) {
      const at = Math.min(frame, frames - 1);
      context.imageSmoothingEnabled = false;
      context.clearRect(0, 0, canvas.width, canvas.height);
      rows.forEach((name, row) => {
        const left = row * (width + GAP);
        context.save();
        context.beginPath();
        context.rect(left * SCALE, 0, width * SCALE, height * SCALE);
        context.clip();
        const x = (at % columns) * width, y = (Math.floor(at / columns) * rows.length + row) * height;
        context.drawImage(image, x, y, width, height, left * SCALE, 0, width * SCALE, height * SCALE);
        if (name !== "error") {
          paths.forEach(({ samples, color }) =>
            samples.forEach((points) => plot(points, at, left, color, samples.length > 1)));
        }
        context.restore();
      });
      canvas.dataset.frame = at;
    }
    return { figure, image, render };
  }

  function show(number) {
    frame = number;
    slider.value = number;
    position.textContent = `${number + 1} of ${Number(slider.max) + 1}`;
    visible.forEach((clip) => clip.render(number));
  }

  function run(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => show((frame + 1) % (Number(slider.max) + 1)), 1000 / PER_SECOND) : 0;
    play.textContent = on ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(on));
  }

  controls.hidden = false;
  play.addEventListener("click", () => run(!timer));
  slider.addEventListener("input", () => { run(false); show(Number(slider.value)); });
  Promise.all(players.map((clip) => clip.image.decode())).then(() => {
    players.forEach((clip) => clip.render(0));
    show(0);
    const watch = new IntersectionObserver((entries) => entries.forEach((entry) => {
      const clip = players.find((candidate) => candidate.figure === entry.target);
      if (entry.isIntersecting) { visible.add(clip); clip.render(frame); } else visible.delete(clip);
    }));
    players.forEach((clip) => watch.observe(clip.figure));
    run(!matchMedia("(prefers-reduced-motion: reduce)").matches);
    document.body.dataset.ready = "true";
  });
})();
