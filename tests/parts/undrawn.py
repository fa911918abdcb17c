"""A browser in which many exams are read, and none is drawn."""

from __future__ import annotations

# Stands for niivue where many exams are read: nothing is drawn, all else is as it is.
NO_DRAWING = """
const volume = { loadFromBase64: async () => ({}) };
class Niivue {
  opts = {}; scene = { crosshairPos: [0, 0, 0] }; volumes = [];
  async attachToCanvas() {}
  addColormap() {} drawSliceOrientationText() {}
  addVolume(one) { this.volumes.push(one); }
  removeVolume() { this.volumes.pop(); }
  mm2frac(mm) { return mm; }
  frac2mm(frac) { return frac; }
  drawScene() {} updateGLVolume() {} setSliceType() {} setRadiologicalConvention() {}
}
Object.defineProperty(window, "niivue", { value: { Niivue, NVImage: volume } });
"""
