// A reader draws the left and the right striatum of one exam, and saves a mask and its sidecar.
(async () => {
  const byId = (id) => document.getElementById(id);
  const exam = JSON.parse(byId("data").textContent);
  const LABELS = { 1: "striatum_left", 2: "striatum_right" };
  const PENS = [["left striatum", 1], ["right striatum", 2], ["eraser", 0], ["look only", null]];
  const say = (text) => (byId("said").textContent = text);
  const counts = { strokes: 0, undone: 0 };

  if (!document.createElement("canvas").getContext("webgl2")) return say("This browser has no WebGL 2, which drawing needs.");
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-label", "The exam's slices, to draw on; keys are listed below");
  canvas.setAttribute("role", "application");
  byId("area").append(canvas);
  const nv = new niivue.Niivue({
    backColor: [0, 0, 0, 1],
    isOrientationTextVisible: true,
    showAllOrientationMarkers: true,
    fontColor: [1, 1, 1, 1],
    crosshairColor: [0.4, 0.8, 1, 0.8],
    multiplanarPadPixels: 8, // else one plane's R touches the next one's L
    crosshairWidth: 0.5,
    crosshairWidthUnit: "mm",
    dragAndDropEnabled: false,
    scrollRequiresFocus: true,
    multiplanarShowRender: 0,
  });
  await nv.attachToCanvas(canvas);
  const volume = await niivue.NVImage.loadFromBase64({ base64: exam.volume, name: "exam.nii.gz", colormap: "gray", cal_min: 0, cal_max: exam.top });
  nv.addVolume(volume);
  nv.setRadiologicalConvention(false);
  nv.setRenderAzimuthElevation(0, 50); // from behind and above: left on the left
  nv.createEmptyDrawing();
  nv.setDrawColormap({ R: [0, 230, 86], G: [0, 159, 180], B: [0, 0, 233], A: [0, 255, 255], labels: ["", "left", "right"] });
  nv.drawOpacity = 0.5;

  const count = (value) => nv.drawBitmap.reduce((sum, one) => sum + (one === value), 0);
  const tell = () => say(`left ${count(1)} voxels, right ${count(2)} voxels`);
  let pen = 1, size = 3;

  function group(place, choices, chosen, act) {
    const made = choices.map(([text, value]) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: text });
      button.addEventListener("click", () => choose(value));
      byId(place).append(button);
      return button;
    });
    const choose = (value) => {
      made.forEach((one, at) => one.setAttribute("aria-pressed", String(choices[at][1] === value)));
      act(value);
    };
    choose(chosen);
    return choose;
  }
  function plain(place, text, act) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text });
    button.addEventListener("click", act);
    byId(place).append(button);
  }
  function ranged(place, text, range, act) {
    const [label, input, said] = ["label", "input", "output"].map((tag) => document.createElement(tag));
    Object.assign(input, { type: "range", ...range });
    const show = () => {
      said.textContent = input.value;
      act(Number(input.value));
    };
    input.addEventListener("input", show);
    label.append(`${text} `, input, said);
    byId(place).append(label);
    show();
    return (value) => {
      input.value = value;
      show();
    };
  }

  const choosePen = group("pens", PENS, 1, (value) => {
    pen = value;
    nv.setDrawingEnabled(value !== null);
    if (value !== null) nv.setPenValue(value, false);
  });
  const setSize = ranged("pens", "width, voxels", { min: 1, max: 15, step: 2, value: size }, (value) => {
    size = value;
    nv.opts.penSize = value;
  });
  const undo = () => {
    nv.drawUndo();
    counts.undone += 1;
    tell();
  };
  plain("pens", "Undo", undo);
  const { sliceTypeAxial, sliceTypeMultiplanar, sliceTypeRender } = nv;
  const views = [["axial", sliceTypeAxial], ["three planes", sliceTypeMultiplanar], ["3-D", sliceTypeRender]];
  group("views", views, sliceTypeAxial, (type) => {
    nv.setSliceType(type);
    nv.volumes[0].cal_min = type === sliceTypeRender ? 0.32 * exam.top : 0; // else the cortex hides the striata
    nv.updateGLVolume();
  });
  ranged("views", "brightest", { min: 20, max: 255, step: 1, value: exam.top }, (value) => {
    nv.volumes[0].cal_max = value;
    nv.updateGLVolume();
  });
  const check = document.createElement("input");
  const label = document.createElement("label");
  check.type = "checkbox";
  check.addEventListener("change", () => nv.setRadiologicalConvention(check.checked));
  label.append(check, " left on the right (radiological)");
  byId("views").append(label);

  nv.onDrawingChanged = (action) => {
    if (action === "draw") counts.strokes += 1;
    tell();
  };

  // A round or square brush at the cross, for those who draw without a mouse.
  function paint() {
    if (pen === null) return;
    const [x, y, z] = nv.frac2vox(nv.scene.crosshairPos);
    const before = nv.drawPenAxCorSag;
    nv.drawPenAxCorSag = 0; // axial
    nv.drawPt(x, y, z, pen);
    nv.drawPenAxCorSag = before;
    nv.drawAddUndoBitmap();
    nv.refreshDrawing(true);
    counts.strokes += 1;
    tell();
  }
  const MOVES = { ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, 1, 0], ArrowDown: [0, -1, 0], PageUp: [0, 0, 1], PageDown: [0, 0, -1] };
  canvas.addEventListener("keydown", (event) => {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || key === "Tab" || key === "Shift") return;
    event.stopImmediatePropagation(); // niivue has keys of its own
    const across = check.checked ? -1 : 1;
    if (MOVES[key]) {
      const [x, y, z] = MOVES[key];
      nv.moveCrosshairInVox(across * x, y, z);
    } else if (key === " ") paint();
    else if ("120".includes(key)) choosePen(Number(key));
    else if (key === "u") undo();
    else if ("+-".includes(key)) setSize(Math.min(15, Math.max(1, size + (key === "+" ? 2 : -2))));
    else return;
    event.preventDefault();
  }, true);

  function download(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  const unpack = async (text) => {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Uint8Array(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  };
  byId("save").addEventListener("click", async () => {
    const reader = byId("reader").value.trim();
    const labels = Object.fromEntries(Object.entries(LABELS).filter(([value]) => count(Number(value))));
    if (!reader) return say("Expected who drew it, found no reader: type a name above the button."), byId("reader").focus();
    if (!Object.keys(labels).length) return say("Expected a region, found none: draw one first.");
    // niivue brings voxels back to the file's own order; the header is the kit's, to the last bit.
    const saved = new Uint8Array(await nv.saveImage({ filename: "", isSaveDrawing: true }));
    const whole = await unpack(exam.volume);
    const start = whole.length - exam.voxels;
    whole.set(saved.subarray(saved.length - exam.voxels), start);
    const packed = await new Response(new Blob([whole]).stream().pipeThrough(new CompressionStream("gzip"))).blob();
    const base = `${exam.name}_${reader.replace(/[^A-Za-z0-9_-]+/g, "-")}`;
    const how = { tool: "datkit readers draw", niivue: nv.version ?? "", pen: size, ...counts };
    const facts = { format: exam.format, labels, reader, when: new Date().toISOString(), how, exam_sha256: exam.exam_sha256 };
    download(`${base}.nii.gz`, packed);
    download(`${base}.json`, new Blob([JSON.stringify(facts, null, 1)], { type: "application/json" }));
    say(`Saved ${base}.nii.gz and ${base}.json.`);
  });
  nv.drawScene();
  tell();
  window.datDraw = nv; // for tests
  document.documentElement.dataset.ready = "1";
})();
