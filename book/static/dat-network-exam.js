// What a reader may do to an exam, and the kit's binding ratios of what comes of it: datkit/book/network/changes.py
// in JavaScript. A place in mm is three numbers: to the right, to the front, up; a voxel has 2 mm.
(function () {
  "use strict";

  const VOXEL = 2; // mm
  const SIGMA = 1 / 2.3548; // standard deviation of a Gaussian over its full width at half maximum

  // Files hold base64: of bytes, or of half-precision numbers of 2 bytes (1 sign, 5 exponent, 10 fraction).
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  function halves(text) {
    const packed = new Uint16Array(bytes(text).buffer);
    return Float32Array.from(packed, (half) => {
      const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
      return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
    });
  }

  function open(pack) {
    const layers = pack.network.layers.map((layer) => ({
      stride: layer.stride, channels: layer.channels, weight: halves(layer.weight), mean: halves(layer.mean),
      variance: halves(layer.variance), gain: halves(layer.gain), bias: halves(layer.bias),
    }));
    const last = { weight: halves(pack.network.last.weight), bias: halves(pack.network.last.bias) };
    const exams = pack.exams.map((exam) => ({
      ...exam,
      image: { size: [1, ...pack.size], values: Float32Array.from(bytes(exam.voxels), (step) => step * pack.step) },
    }));
    const frame = { ...pack.frame, inside: bytes(pack.frame.inside), dimming: bytes(pack.frame.dimming) };
    return { network: { box: pack.network.box, layers, last }, exams, frame };
  }

  const like = ({ size }) => window.datNetwork.image(...size);
  const between = (value, low, high) => Math.min(high, Math.max(low, value));

  // Take a share of the specific uptake from the posterior putamen; that of the left is the mirror image of the right.
  function dim(exam, { left, right }, frame) {
    const dimmed = like(exam);
    dimmed.values.set(exam.values);
    const [, nx, ny, nz] = exam.size;
    frame.dimming.forEach((weight, at) => {
      const [i, j, k] = unravel(at, frame.size).map((index, axis) => index + frame.start[axis]);
      for (const [share, x] of [[right, i], [left, nx - 1 - i]]) {
        const here = (x * ny + j) * nz + k;
        dimmed.values[here] -= (exam.values[here] - 1) * share * (weight / 255);
      }
    });
    return dimmed;
  }

  const unravel = (at, [, ny, nz]) => [Math.floor(at / (ny * nz)), Math.floor(at / nz) % ny, at % nz];

  // Along one axis after the other, each voxel becomes a weighted sum of those `offset` away; beyond the edge the
  // last voxel goes on. taps(axis) lists [offset, weight].
  function sweep(exam, taps) {
    const [, nx, ny, nz] = exam.size;
    let before = exam.values;
    [[nx, ny * nz], [ny, nz], [nz, 1]].forEach(([length, step], axis) => {
      const list = taps(axis);
      const after = new Float32Array(before.length);
      for (let at = 0; at < after.length; at++) {
        const place = Math.floor(at / step) % length;
        let sum = 0;
        for (let tap = 0; tap < list.length; tap++) {
          const other = between(place + list[tap][0], 0, length - 1);
          sum += list[tap][1] * before[at + (other - place) * step];
        }
        after[at] = sum;
      }
      before = after;
    });
    return { size: exam.size, values: before };
  }

  // A Gaussian.
  function blur(exam, fwhm) {
    const sigma = (fwhm * SIGMA) / VOXEL;
    const reach = Math.floor(3 * sigma + 0.5);
    const offsets = Array.from({ length: 2 * reach + 1 }, (_, at) => at - reach);
    const bell = offsets.map((offset) => Math.exp(-(offset ** 2) / (2 * sigma ** 2)));
    const total = bell.reduce((a, b) => a + b);
    return sweep(exam, () => offsets.map((offset, at) => [offset, bell[at] / total]));
  }

  // A move by mm: what was there comes here, and between two voxels the nearer one weighs more.
  function shift(exam, mm) {
    return sweep(exam, (axis) => {
      const from = -mm[axis] / VOXEL;
      const low = Math.floor(from);
      return [[low, 1 - (from - low)], [low + 1, from - low]];
    });
  }

  // The value between voxels: the mean of the eight around, the nearer ones weighing more.
  function valueAt({ size: [, nx, ny, nz], values }, x, y, z) {
    const [i, j, k] = [x, y, z].map(Math.floor);
    let sum = 0;
    for (let di = 0; di < 2; di++)
      for (let dj = 0; dj < 2; dj++)
        for (let dk = 0; dk < 2; dk++) {
          const weight = (1 - Math.abs(x - i - di)) * (1 - Math.abs(y - j - dj)) * (1 - Math.abs(z - k - dk));
          const [a, b, c] = [between(i + di, 0, nx - 1), between(j + dj, 0, ny - 1), between(k + dk, 0, nz - 1)];
          sum += weight * values[(a * ny + b) * nz + c];
        }
    return sum;
  }

  // Noise of an image, not of a voxel: as blurred as the camera's own; the same seed gives the same noise.
  function noise(exam, deviation, seed) {
    const name = `${exam.size} ${seed}`;
    grains[name] ??= grainOf(exam, seed);
    const noisy = like(exam);
    for (let at = 0; at < noisy.values.length; at++) noisy.values[at] = exam.values[at] + deviation * grains[name][at];
    return noisy;
  }

  const grains = {};

  // Of standard deviation 1.
  function grainOf(exam, seed) {
    const grain = like(exam);
    let state = seed >>> 0;
    const random = () => {
      state = (state + 0x6d2b79f5) >>> 0; // mulberry32
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    for (let at = 0; at < grain.values.length; at++) {
      grain.values[at] = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()); // Box and Muller
    }
    const soft = blur(grain, 8).values;
    const spread = Math.sqrt(soft.reduce((sum, value) => sum + value * value, 0) / soft.length);
    return soft.map((value) => value / spread);
  }

  function scale(exam, reference) {
    const scaled = like(exam);
    exam.values.forEach((value, at) => { scaled.values[at] = value / reference; });
    return scaled;
  }

  // All changes, in the order of the sliders.
  function change(exam, changes, frame) {
    let changed = exam;
    if (changes.left || changes.right) changed = dim(changed, changes, frame);
    if (changes.blur) changed = blur(changed, changes.blur);
    if (changes.mirror) changed = window.datNetwork.mirror(changed);
    if (changes.shift.some(Boolean)) changed = shift(changed, changes.shift);
    if (changes.noise) changed = noise(changed, changes.noise, changes.seed ?? 1);
    return changes.reference === 1 ? changed : scale(changed, changes.reference);
  }

  const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

  // The kit's ratios of one side. Its regions are stored for the right one: a left side is read from right to left.
  // They lie where preparation found this patient's striatum, a few mm from the usual place.
  function measureSide(exam, side, place, frame) {
    const last = exam.size[1] - 1;
    const found = { near: [], putamen: [], posterior: [] };
    frame.inside.forEach((bits, at) => {
      if (!bits) return;
      const [i, j, k] = unravel(at, frame.size).map((index, axis) => index + frame.start[axis]);
      const x = (side === "left" ? last - i : i) + place[0] / VOXEL;
      const value = valueAt(exam, x, j + place[1] / VOXEL, k + place[2] / VOXEL);
      if (bits & 1) found.putamen.push(value);
      if (bits & 2) found.posterior.push(value);
      if (bits & 4) found.near.push(value);
    });
    const hottest = found.near.sort((a, b) => b - a).slice(0, frame.caudate); // as many as the caudate has voxels
    return { caudate: mean(hottest) - 1, putamen: mean(found.putamen) - 1, posterior_putamen: mean(found.posterior) - 1 };
  }

  // Of an exam after changes: where a mirrored exam's striata lie is mirrored too.
  function measure(exam, places, mirrored, frame) {
    const ratios = {};
    for (const side of ["left", "right"]) {
      const other = side === "left" ? "right" : "left";
      const [x, y, z] = places[mirrored ? other : side];
      const found = measureSide(exam, side, [mirrored ? -x : x, y, z], frame);
      for (const [name, value] of Object.entries(found)) ratios[`${name}_${side}`] = value;
    }
    return ratios;
  }

  window.datNetworkExam = { open, change, measure, noise, blur };
})();
