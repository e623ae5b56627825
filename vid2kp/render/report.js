"use strict";
(() => {
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const CODE = new Uint8Array(128);
  for (let i = 0; i < 64; i++) CODE[LETTERS.charCodeAt(i)] = i;
  const GRID = 4095;
  const LEVELS = 63;
  const RATES = [1, 0.5, 0.25, 2, 4];
  const players = [];

  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10);
    const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
    const minutes = Math.floor(tenths / 600);
    if (minutes < 60) return `${minutes}:${rest}`;
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
  };

  // Positions as parts of the longer side; confidence 0 = not seen.
  const unpack = (text, count, keypoints) => {
    const values = new Float32Array(count * keypoints * 3);
    for (let i = 0; i < count * keypoints; i++) {
      const at = (j) => CODE[text.charCodeAt(5 * i + j)];
      values[3 * i] = (at(0) * 64 + at(1)) / GRID;
      values[3 * i + 1] = (at(2) * 64 + at(3)) / GRID;
      values[3 * i + 2] = at(4) / LEVELS;
    }
    return values;
  };

  const timesOf = (data) => {
    const times = new Float64Array(data.count);
    let sum = 0;
    for (let i = 0; i < data.count; i++) {
      sum += data.steps ? data.steps[i] / 1000 : 0;
      times[i] = data.steps ? sum : i * data.step;
    }
    return times;
  };

  class Player {
    constructor(video) {
      const find = (selector) => video.querySelector(selector);
      const data = JSON.parse(find('script[type="application/json"]').textContent);
      this.data = data;
      this.keypoints = data.sides.length;
      this.poses = unpack(data.poses, data.count, this.keypoints);
      this.times = timesOf(data);
      this.canvas = find("canvas");
      this.slider = find(".seek");
      this.head = find(".head");
      this.clock = find(".clock");
      this.play = find(".play");
      this.rate = find(".rate");
      this.time = 0;
      this.speed = 0;
      this.isPlaying = false;
      this.canvas.style.aspectRatio = String(data.aspect);
      this.play.addEventListener("click", () => this.toggle());
      this.rate.addEventListener("click", () => this.nextRate());
      find(".back").addEventListener("click", () => this.step(-1));
      find(".forth").addEventListener("click", () => this.step(1));
      this.canvas.addEventListener("click", () => this.toggle());
      this.slider.addEventListener("keydown", (event) => this.key(event));
      this.slider.addEventListener("pointerdown", (event) => this.drag(event));
      new ResizeObserver(() => this.draw()).observe(this.canvas);
      this.seek(0);
    }

    get index() {
      let low = 0;
      let high = this.times.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        // Half a millisecond: a time that was rounded still belongs to its frame.
        if (this.times[middle] <= this.time + 0.0005) low = middle;
        else high = middle - 1;
      }
      return low;
    }

    seek(time) {
      this.time = Math.min(Math.max(time, 0), this.data.seconds);
      const said = `${clock(this.time)} of ${clock(this.data.seconds)}`;
      this.slider.setAttribute("aria-valuenow", this.time.toFixed(2));
      this.slider.setAttribute("aria-valuetext", said);
      this.head.style.left = `${(100 * this.time) / (this.data.seconds || 1)}%`;
      this.clock.textContent = `${clock(this.time)} / ${clock(this.data.seconds)}`;
      this.draw();
    }

    step(count) {
      this.stop();
      const last = this.times.length - 1;
      this.seek(this.times[Math.min(Math.max(this.index + count, 0), last)]);
    }

    toggle() {
      if (this.isPlaying) this.stop();
      else this.start();
    }

    start() {
      for (const other of players) other.stop();
      if (this.time >= this.data.seconds) this.seek(0);
      this.isPlaying = true;
      this.show("Pause");
      let before = performance.now();
      const tick = (now) => {
        if (!this.isPlaying) return;
        this.seek(this.time + (Math.max(now - before, 0) / 1000) * RATES[this.speed]);
        before = now;
        if (this.time >= this.data.seconds) this.stop();
        else requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }

    stop() {
      this.isPlaying = false;
      this.show("Play");
    }

    show(word) {
      this.play.textContent = word;
      this.play.setAttribute("aria-label", word);
    }

    nextRate() {
      this.speed = (this.speed + 1) % RATES.length;
      this.rate.textContent = `${RATES[this.speed]}×`;
      this.rate.setAttribute("aria-label", `Speed: ${RATES[this.speed]} times that of the recording`);
    }

    key(event) {
      const to = {
        ArrowRight: this.time + 1, ArrowUp: this.time + 1,
        ArrowLeft: this.time - 1, ArrowDown: this.time - 1,
        PageUp: this.time + 10, PageDown: this.time - 10,
        Home: 0, End: this.data.seconds,
      }[event.key];
      if (to !== undefined) this.seek(to);
      else if (event.key === " ") this.toggle();
      else return;
      event.preventDefault();
    }

    drag(event) {
      if (event.button !== 0) return;
      const go = (at) => {
        const box = this.slider.getBoundingClientRect();
        this.seek(((at.clientX - box.left) / box.width) * this.data.seconds);
      };
      const end = () => {
        this.slider.removeEventListener("pointermove", go);
        this.slider.removeEventListener("pointerup", end);
        this.slider.removeEventListener("pointercancel", end);
      };
      this.slider.setPointerCapture(event.pointerId);
      this.slider.addEventListener("pointermove", go);
      this.slider.addEventListener("pointerup", end);
      this.slider.addEventListener("pointercancel", end);
      go(event);
    }

    draw() {
      const width = this.canvas.clientWidth;
      if (!width) return;
      const height = width / this.data.aspect;
      const fine = window.devicePixelRatio || 1;
      this.canvas.width = Math.round(width * fine);
      this.canvas.height = Math.round(height * fine);
      const pen = this.canvas.getContext("2d");
      const scale = Math.max(width, height);
      pen.scale(fine, fine);
      const style = getComputedStyle(document.documentElement);
      const colour = (name) => style.getPropertyValue(`--${name}`).trim();
      const colours = { r: colour("right"), l: colour("left"), m: colour("middle") };
      if (this.data.frame) {
        const [left, top, right, bottom] = this.data.frame.map((v) => v * scale);
        pen.strokeStyle = colour("line");
        pen.lineWidth = 1;
        pen.strokeRect(left, top, right - left, bottom - top);
      }
      this.person(pen, scale, colours, colour("text"));
    }

    person(pen, scale, colours, ink) {
      const base = 3 * this.keypoints * this.index;
      const point = (k) => {
        const [x, y, sure] = this.poses.subarray(base + 3 * k, base + 3 * k + 3);
        return sure > 0 ? { x: x * scale, y: y * scale, sure } : null;
      };
      const thick = Math.max(2, this.data.torso * scale * 0.07);
      const see = (sure) => 0.35 + 0.65 * Math.min(1, sure * 1.5);
      const face = this.data.face.map(point).filter(Boolean);
      const trunk = this.data.trunk.map(point).filter(Boolean);
      let seen = 0;
      pen.lineCap = "round";
      pen.fillStyle = pen.strokeStyle = colours.m;
      if (trunk.length === 4) {
        pen.globalAlpha = 0.15;
        pen.beginPath();
        for (const { x, y } of trunk) pen.lineTo(x, y);
        pen.fill();
      }
      if (face.length > 1) {
        const mean = (of) => face.reduce((sum, one) => sum + of(one), 0) / face.length;
        pen.globalAlpha = 0.6;
        pen.lineWidth = 1.5;
        pen.beginPath();
        pen.arc(mean((p) => p.x), mean((p) => p.y), this.data.head * scale, 0, 2 * Math.PI);
        pen.stroke();
      }
      for (const [a, b] of this.data.limbs) {
        const from = point(a);
        const to = point(b);
        if (!from || !to) continue;
        const side = this.data.sides[b];
        pen.strokeStyle = colours[side];
        pen.globalAlpha = see(Math.min(from.sure, to.sure));
        pen.lineWidth = side !== "m" && side === this.data.sides[a] ? thick : thick * 0.55;
        pen.beginPath();
        pen.moveTo(from.x, from.y);
        pen.lineTo(to.x, to.y);
        pen.stroke();
      }
      for (let k = 0; k < this.keypoints; k++) {
        const here = point(k);
        if (!here) continue;
        seen++;
        pen.globalAlpha = see(here.sure);
        pen.fillStyle = colours[this.data.sides[k]];
        pen.beginPath();
        const size = this.data.face.includes(k) ? 0.3 : 0.62;
        pen.arc(here.x, here.y, thick * size, 0, 2 * Math.PI);
        pen.fill();
      }
      pen.globalAlpha = 1;
      if (!seen) {
        pen.fillStyle = ink;
        pen.font = "14px system-ui, sans-serif";
        pen.fillText("not seen", 10, 22);
      }
    }
  }

  const opened = (video) => {
    if (!video.open || video.player) return;
    video.player = new Player(video);
    players.push(video.player);
  };

  for (const video of document.querySelectorAll("details.video")) {
    video.addEventListener("toggle", () => {
      if (video.player && !video.open) video.player.stop();
      opened(video);
    });
    opened(video);
  }

  // A link of the overview opens the video it leads to.
  const follow = () => {
    const video = document.getElementById(location.hash.slice(1));
    if (!video || video.tagName !== "DETAILS") return;
    video.open = true;
    opened(video);
    video.scrollIntoView();
    video.querySelector("summary").focus({ preventScroll: true });
  };
  window.addEventListener("hashchange", follow);
  follow();

  const body = document.querySelector("#overview tbody");
  const rows = [...body.rows];
  const heads = [...document.querySelectorAll("#overview thead th")];
  const filters = [...document.querySelectorAll(".filters button[data-show]")];
  const listed = document.getElementById("listed");
  const more = document.getElementById("more");
  const LISTED = Number(more.dataset.step);
  let kind = "all";
  let most = LISTED;

  // Of thousands of rows a browser lays out the first few hundred at once, all of them slowly.
  const list = () => {
    const wanted = rows.filter((row) => kind === "all" || row.classList.contains(kind));
    const shown = new Set(wanted.slice(0, most));
    for (const row of rows) row.hidden = !shown.has(row);
    const first = shown.size < wanted.length ? `, the first ${shown.size} listed` : "";
    listed.textContent = `${wanted.length} of ${rows.length} videos${first}`;
    more.hidden = shown.size === wanted.length;
  };
  more.addEventListener("click", () => {
    most += LISTED;
    list();
  });
  list();
  for (const button of filters) {
    button.addEventListener("click", () => {
      for (const other of filters) other.setAttribute("aria-pressed", String(other === button));
      kind = button.dataset.show;
      most = LISTED;
      list();
    });
  }

  const valueOf = (row, column) => row.cells[column].dataset.v;
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // what is not known comes last
    const difference = Number(a) - Number(b);
    return Number.isNaN(difference) ? a.localeCompare(b, "en") : difference;
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      rows.sort((one, two) => {
        const [a, b] = [valueOf(one, column), valueOf(two, column)];
        return falling && a !== "" && b !== "" ? compare(b, a) : compare(a, b);
      });
      list();
      body.append(...rows);
    });
  });

  const redraw = () => players.forEach((player) => player.draw());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const paper = (isPaper) => {
    document.documentElement.classList.toggle("paper", isPaper);
    redraw();
  };
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));
})();
