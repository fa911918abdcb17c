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
    multiplanarPadPixels: 8, // else one plane's R touches the next one's L
    dragAndDropEnabled: false,
    scrollRequiresFocus: true, // the wheel scrolls the page until one clicks into the figure
  };

  // In space, what is below this share of the scale would hide the striata behind the cortex.
  const SEE_THROUGH = 0.32;

  const hasWebGL = () => Boolean(document.createElement("canvas").getContext("webgl2"));

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

  function slider(text, max, value, act) {
    const label = document.createElement("label");
    const made = document.createElement("input");
    Object.assign(made, { type: "range", min: 0, max, step: max / 50, value });
    made.addEventListener("input", () => act(Number(made.value)));
    label.append(`${text} `, made);
    return label;
  }

  // Radiological: the patient's left on the right of the planes; in space, seen from in front.
  function turn(nv, radiological) {
    nv.setRadiologicalConvention(radiological);
    nv.setRenderAzimuthElevation(radiological ? 190 : 10, 50); // from above, either way
  }

  function checkbox(text, checked, act) {
    const label = document.createElement("label");
    const made = document.createElement("input");
    Object.assign(made, { type: "checkbox", checked });
    made.addEventListener("change", () => act(made.checked));
    label.append(made, ` ${text}`);
    return label;
  }

  // The toolbar stands after the area: a screen reader takes the area as one picture.
  function addToolbar(area, nv, { volumes, slice_type, radiological }) {
    const [base, overlay] = volumes;
    const solid = slice_type === "render";
    const hideBelow = (value) => {
      nv.volumes[0].cal_min = value;
      nv.updateGLVolume();
    };
    const threshold = slider("hide below", base.cal_max, base.cal_min, hideBelow);
    const show = (type, low) => {
      nv.setSliceType(type);
      threshold.querySelector("input").value = low;
      hideBelow(low);
    };
    const seeThrough = Math.max(base.cal_min, SEE_THROUGH * base.cal_max);
    const bar = document.createElement("div");
    bar.className = "dat-toolbar";
    bar.append(
      button("slices", !solid, () => show(nv.sliceTypeMultiplanar, solid ? 0 : base.cal_min)),
      button("3-D", solid, () => show(nv.sliceTypeRender, seeThrough)),
      threshold,
      checkbox("left on the right (radiological)", Boolean(radiological), (on) => turn(nv, on))
    );
    if (overlay) {
      bar.append(slider("overlay", 1, overlay.opacity ?? 1, (value) => nv.setOpacity(1, value)));
    }
    area.after(bar);
  }

  async function draw(area, content) {
    if (!hasWebGL()) throw new Error("this browser has no WebGL 2");
    const canvas = document.createElement("canvas");
    area.append(canvas);
    const nv = new niivue.Niivue(options);
    await nv.attachToCanvas(canvas);
    await addVolumes(nv, content.volumes);
    const solid = content.slice_type === "render";
    nv.setSliceType(solid ? nv.sliceTypeRender : nv.sliceTypeMultiplanar);
    turn(nv, Boolean(content.radiological));
    nv.setScale(1.4);
    if (content.at) moveTo(nv, content.at);
    addToolbar(area, nv, content);
  }

  return { draw };
})();
