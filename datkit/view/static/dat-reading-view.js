// One niivue view of an exam: fixed scale, slice and window by native sliders, L and R printed.
(function () {
  "use strict";

  const { el } = window.datReadingParts;
  const TOP = 5; // uptake at the top of the scale, as in all pictures of the book
  const FIRST = { z: 2, top: TOP }; // what each exam begins with
  const INSET = 8; // pixels of the canvas, from the edge of a slice to its L and R
  const LOWEST = -22, HIGHEST = 38; // mm, the slices that are there
  const COLOURS = [["inferno", "inferno"], ["gray", "black to white"], ["gray-inverted", "white to black"]];
  // The book's inferno (matplotlib's, at 17 places): niivue's own, of four, is brighter at the bottom.
  const INFERNO = {
    R: [0, 10, 32, 60, 87, 112, 137, 163, 187, 209, 228, 241, 249, 251, 248, 241, 252],
    G: [0, 7, 12, 9, 15, 25, 34, 43, 55, 70, 90, 114, 142, 172, 203, 233, 254],
    B: [3, 35, 74, 101, 109, 110, 105, 97, 84, 67, 49, 29, 8, 16, 52, 104, 164],
    I: [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255],
    A: Array(17).fill(255),
  };
  const NAME = "The exam: axial slices through the striata, uptake in colour, with L and R printed";
  const options = {
    backColor: [0, 0, 0, 1],
    isOrientationTextVisible: true,
    showAllOrientationMarkers: true, // R as well as L
    fontColor: [1, 1, 1, 1],
    fontMinPx: 18, // L and R are read at arm's length
    crosshairColor: [0.4, 0.8, 1, 0.8],
    crosshairWidth: 0,
    isColorbar: true,
    multiplanarPadPixels: 8,
    dragAndDropEnabled: false,
    scrollRequiresFocus: true,
    viewModeHotKey: "", // keys belong to the answers
    clipPlaneHotKey: "",
  };

  const signed = (mm) => `${mm < 0 ? "−" : "+"}${Math.abs(mm)} mm`;

  function range(name, attributes, say, act) {
    const out = el("output", {}, say(attributes.value));
    const input = el("input", { type: "range", ...attributes });
    input.addEventListener("input", () => act(Number(input.value)));
    const set = (value) => {
      input.value = value;
      out.textContent = say(Number(value));
      input.setAttribute("aria-valuetext", out.textContent);
    };
    set(attributes.value);
    return { part: el("label", {}, `${name} `, input, " ", out), set, input };
  }

  // Returns {part, show(base64), fail(error), keys}; show says whether it drew. `settings` {radiological, colours, planes} are kept by the caller.
  function makeView(settings, keep) {
    const area = el("div", { class: "dr-area" });
    const canvas = el("canvas", { role: "img", "aria-label": NAME });
    area.append(canvas);
    let nv = null;
    const state = { ...FIRST };

    const slice = range("slice", { min: LOWEST, max: HIGHEST, step: 2, value: state.z }, signed, (z) => move(z));
    const window_ = range("top of the scale", { min: 2, max: 6, step: 0.25, value: state.top }, (v) => v.toFixed(2), (top) => stretch(top));

    function move(z) {
      state.z = Math.min(HIGHEST, Math.max(LOWEST, z));
      slice.set(state.z);
      if (!nv?.volumes.length) return;
      const [x, y] = nv.frac2mm(nv.scene.crosshairPos);
      nv.scene.crosshairPos = nv.mm2frac([x, y, state.z]);
      nv.drawScene();
    }

    function stretch(top) {
      state.top = top;
      window_.set(top);
      if (!nv?.volumes.length) return;
      nv.volumes[0].cal_max = top;
      nv.updateGLVolume();
    }

    function paint() {
      if (!nv?.volumes.length) return;
      const inverted = settings.colours.endsWith("-inverted");
      nv.volumes[0].colormap = settings.colours.replace("-inverted", "");
      nv.volumes[0].colormapInvert = inverted;
      nv.opts.crosshairWidth = settings.planes ? 0.6 : 0;
      nv.opts.crosshairWidthUnit = "mm";
      nv.setSliceType(settings.planes ? nv.sliceTypeMultiplanar : nv.sliceTypeAxial);
      nv.setRadiologicalConvention(settings.radiological);
      nv.updateGLVolume();
    }

    function box(name, text) {
      const input = el("input", { type: "checkbox", checked: settings[name] });
      input.addEventListener("change", () => change(name, input.checked));
      return el("label", {}, input, ` ${text}`);
    }

    function change(name, value) {
      settings[name] = value;
      keep(settings);
      paint();
    }

    const colours = el("select", {}, ...COLOURS.map(([value, text]) => el("option", { value, selected: value === settings.colours }, text)));
    colours.addEventListener("change", () => change("colours", colours.value));
    const reset = el("button", { type: "button" }, "reset view");
    reset.addEventListener("click", () => { stretch(FIRST.top); move(FIRST.z); });

    async function start() {
      if (!document.createElement("canvas").getContext("webgl2")) {
        throw new Error("this browser cannot draw volumes: it has no WebGL 2");
      }
      const made = new niivue.Niivue(options);
      const print = made.drawSliceOrientationText.bind(made); // niivue's own prints L and R at the very edge
      made.drawSliceOrientationText = ([x, y, width, height], ...more) => print([x + INSET, y, width - 2 * INSET, height], ...more);
      made.addColormap("inferno", INFERNO);
      await made.attachToCanvas(canvas);
      canvas.tabIndex = -1; // sliders and keys do all that a focus on it would
      made.onLocationChange = ({ mm }) => {
        state.z = 2 * Math.round(mm[2] / 2);
        slice.set(state.z);
      };
      return made;
    }

    let starting = null;
    let latest = null; // who reads fast may be at the next exam before this one is unpacked
    async function show(base64) {
      area.dataset.ready = "";
      const mine = (latest = {});
      try {
        if (!area.contains(canvas)) area.replaceChildren(canvas); // what failed before is tried again
        nv = await (starting ??= start());
        const volume = await niivue.NVImage.loadFromBase64({ base64, name: "exam.nii.gz", cal_min: 0, cal_max: FIRST.top });
        if (mine !== latest) return false;
        for (const old of [...nv.volumes]) nv.removeVolume(old);
        nv.addVolume(volume);
        nv.scene.crosshairPos = nv.mm2frac([0, 0, FIRST.z]);
        paint();
        stretch(FIRST.top);
        move(FIRST.z);
        area.dataset.ready = "1";
        return true;
      } catch (error) {
        if (!nv) starting = null;
        return fail(error);
      }
    }

    function fail(error) {
      area.replaceChildren(el("p", { class: "dr-failed", role: "status" }, `The exam was not drawn: ${error.message}.`));
      return false;
    }

    // Keys that move the view while an answer has the focus.
    const keys = {
      PageUp: () => move(state.z + 2),
      PageDown: () => move(state.z - 2),
      "+": () => stretch(Math.max(2, state.top - 0.25)), // brighter
      "-": () => stretch(Math.min(6, state.top + 0.25)),
    };
    const bar = el(
      "div",
      { class: "dr-bar", role: "group", "aria-label": "View" },
      slice.part, window_.part,
      box("radiological", "left on the right (radiological)"),
      box("planes", "three planes"),
      el("label", {}, "colours ", colours),
      reset
    );
    return { part: el("div", { class: "dr-view" }, area, bar), show, fail, keys };
  }

  window.datReadingView = { makeView, COLOURS };
})();
