// Draws volumes with the local niivue: three planes and a 3-D view, with L and R printed.
window.datFigures = window.datFigures || {};
window.datFigures.niivue = (() => {
  const options = {
    backColor: [0, 0, 0, 1],
    isRadiologicalConvention: false, // the patient's left on the image's left, as in the slices
    isOrientationTextVisible: true,
    showAllOrientationMarkers: true, // R as well as L
    fontColor: [1, 1, 1, 1],
    crosshairColor: [0.4, 0.8, 1, 0.8],
    crosshairWidth: 0.6,
    crosshairWidthUnit: "mm",
    show3Dcrosshair: true,
    isColorbar: true,
    dragAndDropEnabled: false,
    scrollRequiresFocus: true, // the wheel scrolls the page until one clicks into the figure
  };

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

  function opacitySlider(nv, initial) {
    const label = document.createElement("label");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.05, value: initial });
    slider.addEventListener("input", () => nv.setOpacity(1, Number(slider.value)));
    label.append("overlay ", slider);
    return label;
  }

  // The toolbar stands after the area: a reader of the screen takes the area as one picture.
  function addToolbar(area, nv, content) {
    const solid = content.slice_type === "render";
    const bar = document.createElement("div");
    bar.className = "dat-toolbar";
    bar.append(
      button("slices", !solid, () => nv.setSliceType(nv.sliceTypeMultiplanar)),
      button("3-D", solid, () => nv.setSliceType(nv.sliceTypeRender))
    );
    if (content.volumes.length > 1) bar.append(opacitySlider(nv, content.volumes[1].opacity ?? 1));
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
    if (content.at) moveTo(nv, content.at);
    addToolbar(area, nv, content);
  }

  return { draw };
})();
