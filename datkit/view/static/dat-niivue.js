// Draws volumes with the local niivue: three planes and a 3-D view, with L and R printed.
window.datFigures = window.datFigures || {};
window.datFigures.niivue = (() => {
  const options = {
    backColor: [0, 0, 0, 1],
    isOrientationTextVisible: true,
    showAllOrientationMarkers: true, // R as well as L
    fontColor: [1, 1, 1, 1],
    crosshairColor: [0.4, 0.8, 1, 0.8],
    crosshairWidth: 0.6,
    crosshairWidthUnit: "mm",
    isColorbar: true,
    isOrientCube: true, // in space: from where one looks
    multiplanarShowRender: 0, // never beside the slices: there one would see only cortex
    multiplanarPadPixels: 8, // else one plane's R touches the next one's L
    dragAndDropEnabled: false,
    scrollRequiresFocus: true, // the wheel scrolls the page until one clicks into the figure
  };

  const KEYS = "With the focus here, the keys H, J, K and L move it, and V changes the view.";

  // In space, what is below this share of the scale would hide the striata behind the cortex.
  const SEE_THROUGH = 0.32;

  // Browsers hold some sixteen drawings in space, phones eight, and blank the oldest without a word.
  const MOST = 6;
  const drawn = new Map(); // area: what it holds, the first drawn first

  let webGL; // asked once: each answer is a drawing, too
  const hasWebGL = () => (webGL ??= Boolean(document.createElement("canvas").getContext("webgl2")));

  async function addVolumes(nv, volumes) {
    for (const { b64, name, colormap, opacity, cal_min, cal_max } of volumes) {
      const volume = await niivue.NVImage.loadFromBase64({
        base64: b64,
        name,
        colormap: colormap || "gray",
        opacity: opacity ?? 1,
        cal_min,
        cal_max,
      });
      volume.colorbarVisible = nv.volumes.length === 0; // an overlay's numbers are names
      nv.addVolume(volume);
    }
  }

  function moveTo(nv, at) {
    nv.scene.crosshairPos = nv.mm2frac(at);
    nv.drawScene();
  }

  function button(text, pressed, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-pressed", String(pressed));
    made.addEventListener("click", () => {
      made.parentElement
        .querySelectorAll("button")
        .forEach((other) => other.setAttribute("aria-pressed", String(other === made)));
      act();
    });
    return made;
  }

  // A native slider with its value beside it: reached by keys, told by screen readers.
  function slider(text, range, say, act) {
    const [made, label, input, said] = ["div", "label", "input", "output"].map((tag) => document.createElement(tag));
    Object.assign(input, { type: "range", ...range });
    const show = (value) => {
      input.value = value;
      said.textContent = say(value);
      input.setAttribute("aria-valuetext", said.textContent);
    };
    input.addEventListener("input", () => {
      const value = Number(input.value);
      show(value);
      act(value);
    });
    show(range.value);
    made.className = "dat-range";
    label.append(`${text} `, input);
    made.append(label, said);
    return { made, show };
  }

  // Radiological: the patient's left on the right of the planes; in space, seen from in front.
  const firstAzimuth = (radiological) => (radiological ? 180 : 0); // straight: both sides look alike

  function setConvention(nv, radiological) {
    nv.setRadiologicalConvention(radiological);
    nv.setRenderAzimuthElevation(firstAzimuth(radiological), 50); // from above, either way
  }

  // In space: letters of the patient's sides, where one sees both; returns what keeps them right.
  function sideLetters(area, nv) {
    const letters = ["left", "right"].map((side) => {
      const made = document.createElement("span");
      const place = { position: "absolute", top: "45%", [side]: "0.6rem", pointerEvents: "none" };
      Object.assign(made.style, place, { color: "#fff", font: "bold 1.1rem sans-serif" });
      made.className = "dat-side";
      made.setAttribute("aria-hidden", "true");
      area.append(made);
      return made;
    });
    return () => {
      const across = Math.cos((nv.scene.renderAzimuth * Math.PI) / 180); // 1: from behind
      const seen = nv.opts.sliceType === nv.sliceTypeRender && Math.abs(across) > 0.3;
      letters.forEach((made, place) => {
        made.textContent = seen ? "LR"[across > 0 ? place : 1 - place] : "";
      });
    };
  }

  // Turns the volume as keys and drags do, and follows them: 0° is how it stood at first.
  function turner(nv, showInSpace, letter) {
    const first = () => firstAzimuth(nv.getRadiologicalConvention());
    const range = { min: -180, max: 170, step: 10, value: 0 }; // 180° is -180°
    const say = (degrees) => `${degrees}°`.replace("-", "−");
    const { made, show } = slider("turn", range, say, (degrees) => {
      if (nv.opts.sliceType !== nv.sliceTypeRender) showInSpace();
      nv.setRenderAzimuthElevation(first() + degrees, nv.scene.renderElevation);
      letter();
    });
    nv.scene.onAzimuthElevationChange = (azimuth) => {
      show(Math.round((((azimuth - first() + 180) % 360) + 360) % 360) - 180);
      letter();
    };
    return made;
  }

  function checkbox(text, checked, act) {
    const label = document.createElement("label");
    const made = document.createElement("input");
    Object.assign(made, { type: "checkbox", checked });
    made.addEventListener("change", () => act(made.checked));
    label.append(made, ` ${text}`);
    return label;
  }

  function addToolbar(area, nv, { volumes, slice_type, radiological }) {
    const [base, overlay] = volumes;
    const solid = slice_type === "render";
    const hideBelow = (value) => {
      nv.volumes[0].cal_min = value;
      nv.updateGLVolume();
    };
    const upTo = (max, value) => ({ min: 0, max, step: max / 50, value });
    const letter = sideLetters(area, nv);
    const threshold = slider("hide below", upTo(base.cal_max, base.cal_min), (value) => value.toFixed(1), hideBelow);
    const show = (type, low) => {
      nv.setSliceType(type);
      threshold.show(low);
      hideBelow(low);
      letter();
    };
    const seeThrough = Math.max(base.cal_min, SEE_THROUGH * base.cal_max);
    const inSpace = button("3-D", solid, () => show(nv.sliceTypeRender, seeThrough));
    const bar = document.createElement("div");
    bar.className = "dat-toolbar";
    bar.append(
      button("slices", !solid, () => show(nv.sliceTypeMultiplanar, solid ? 0 : base.cal_min)),
      inSpace,
      turner(nv, () => inSpace.click(), letter),
      threshold.made,
      checkbox("left on the right (radiological)", Boolean(radiological), (on) => setConvention(nv, on))
    );
    if (overlay) {
      const opacity = upTo(1, overlay.opacity ?? 1);
      const say = (value) => `${Math.round(100 * value)} %`;
      bar.append(slider("overlay", opacity, say, (value) => nv.setOpacity(1, value)).made);
    }
    area.after(bar);
    return bar;
  }

  // Gives back what an area holds.
  function clear(area) {
    const { nv, canvas, bar } = drawn.get(area) ?? {};
    if (!drawn.delete(area)) return;
    nv.cleanup();
    canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
    bar?.remove();
    area.replaceChildren();
    delete area.dataset.ready;
  }

  // The page did not ask for it, so it is told: what it shows instead is its own.
  function takeAway(area) {
    clear(area);
    area.dispatchEvent(new Event("dat-taken"));
  }

  async function draw(area, content) {
    if (drawn.has(area)) return;
    if (!hasWebGL()) throw new Error("this browser has no WebGL 2");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${area.getAttribute("aria-label")} ${KEYS}`);
    area.setAttribute("role", "group"); // it holds what has the focus, which a picture does not
    if (drawn.size >= MOST) takeAway(drawn.keys().next().value);
    area.replaceChildren(canvas);
    const nv = new niivue.Niivue(options);
    const held = { nv, canvas };
    drawn.set(area, held);
    canvas.addEventListener("webglcontextlost", () => drawn.get(area) === held && takeAway(area));
    nv.cursorInBounds = () => true; // else keys do nothing where the mouse was last outside
    await nv.attachToCanvas(canvas);
    await addVolumes(nv, content.volumes);
    const solid = content.slice_type === "render";
    nv.setSliceType(solid ? nv.sliceTypeRender : nv.sliceTypeMultiplanar);
    held.bar = addToolbar(area, nv, content);
    setConvention(nv, Boolean(content.radiological));
    nv.setScale(1.4);
    if (content.at) moveTo(nv, content.at);
  }

  // One after the other: what is closed while it is drawn is cleared once it stands.
  let work = Promise.resolve();
  const queued = (act) => (area, content) => {
    const done = work.then(() => act(area, content));
    work = done.catch(() => clear(area));
    return done;
  };

  return { draw: queued(draw), clear: queued(clear) };
})();
