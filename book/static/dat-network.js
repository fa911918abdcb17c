// A 3-D convolutional network, from the voxels of an exam to one probability, with nothing left out.
//
// It is the kit's CompactCNN (datkit/models/volume.py) in plain JavaScript: to be read, and run in the page.
// An image is {size: [channels, x, y, z], values}: x from left to right, y from back to front, z from bottom
// to top; z runs fastest. "Channels" are the images that one layer hands to the next: one at first, then many.
(function () {
  "use strict";

  const image = (...size) => ({ size, values: new Float32Array(size.reduce((a, b) => a * b)) });

  // What the network sees: a box around the striata, each voxel the mean of 2 × 2 × 2, as binding (uptake − 1).
  // `exam` has one channel; `box` says where the box begins in it, and how many voxels of the exam it takes.
  function see(exam, box) {
    const [, , ny, nz] = exam.size;
    const seen = image(1, ...box.size.map((n) => n / 2));
    const [, sx, sy, sz] = seen.size;
    let at = 0;
    for (let x = 0; x < sx; x++)
      for (let y = 0; y < sy; y++)
        for (let z = 0; z < sz; z++) {
          let sum = 0;
          for (const dx of [0, 1])
            for (const dy of [0, 1])
              for (const dz of [0, 1]) {
                const [i, j, k] = [2 * x + dx + box.start[0], 2 * y + dy + box.start[1], 2 * z + dz + box.start[2]];
                sum += exam.values[(i * ny + j) * nz + k];
              }
          seen.values[at++] = sum / 8 - 1;
        }
    return seen;
  }

  // The same image with a rim of zeros, one voxel wide: so the corners of a cube find something everywhere.
  function pad({ size: [channels, nx, ny, nz], values }) {
    const padded = image(channels, nx + 2, ny + 2, nz + 2);
    for (let c = 0; c < channels; c++)
      for (let x = 0; x < nx; x++)
        for (let y = 0; y < ny; y++) {
          const from = ((c * nx + x) * ny + y) * nz;
          const to = ((c * (nx + 2) + x + 1) * (ny + 2) + y + 1) * (nz + 2) + 1;
          padded.values.set(values.subarray(from, from + nz), to);
        }
    return padded;
  }

  // A convolution. A cube of 3 × 3 × 3 weights for each channel lies on the image: each voxel times the weight
  // on it, all added up, is one voxel of the result. Then the cube moves on, by `stride` voxels.
  function convolve(input, { weight, channels }, stride) {
    const { size: [inputs, nx, ny, nz], values } = pad(input);
    const out = image(channels, ...[nx, ny, nz].map((n) => Math.floor((n - 3) / stride) + 1));
    const [, ox, oy, oz] = out.size;
    let at = 0;
    for (let channel = 0; channel < channels; channel++)
      for (let x = 0; x < ox; x++)
        for (let y = 0; y < oy; y++)
          for (let z = 0; z < oz; z++) {
            let sum = 0;
            let w = channel * inputs * 27;
            for (let c = 0; c < inputs; c++)
              for (let dx = 0; dx < 3; dx++)
                for (let dy = 0; dy < 3; dy++) {
                  const v = ((c * nx + x * stride + dx) * ny + y * stride + dy) * nz + z * stride;
                  sum += weight[w++] * values[v] + weight[w++] * values[v + 1] + weight[w++] * values[v + 2];
                }
            out.values[at++] = sum;
          }
    return out;
  }

  // Each channel is brought to the scale that it had in training, then what is below zero becomes zero: a channel
  // says "here it is" or nothing.
  function normaliseAndRectify(input, { mean, variance, gain, bias }) {
    const each = input.values.length / input.size[0];
    input.values.forEach((value, at) => {
      const c = Math.floor(at / each);
      const scaled = ((value - mean[c]) / Math.sqrt(variance[c] + 1e-5)) * gain[c] + bias[c];
      input.values[at] = Math.max(0, scaled);
    });
    return input;
  }

  // The last layer: every voxel of every channel has a weight of its own, and they are added up to the logit.
  const weigh = (input, { weight, bias }) => input.values.reduce((sum, value, at) => sum + weight[at] * value, bias[0]);

  // All of it. Returns the logit, and on the way what each layer handed on.
  function read(seen, network) {
    const layers = [seen];
    for (const layer of network.layers) {
      layers.push(normaliseAndRectify(convolve(layers.at(-1), layer, layer.stride), layer));
    }
    return { logit: weigh(layers.at(-1), network.last), layers };
  }

  // The same image, left and right exchanged.
  function mirror({ size, values }) {
    const mirrored = image(...size);
    const [channels, nx, ny, nz] = size;
    for (let c = 0; c < channels; c++)
      for (let x = 0; x < nx; x++) {
        const from = (c * nx + nx - 1 - x) * ny * nz;
        mirrored.values.set(values.subarray(from, from + ny * nz), (c * nx + x) * ny * nz);
      }
    return mirrored;
  }

  // The network has no notion of left and right of its own: it reads the exam and its mirror image, and takes the mean.
  function predict(exam, network) {
    const seen = see(exam, network.box);
    const straight = read(seen, network);
    const logit = (straight.logit + read(mirror(seen), network).logit) / 2;
    return { logit, probability: 1 / (1 + Math.exp(-logit)), layers: straight.layers };
  }

  window.datNetwork = { image, see, convolve, mirror, read, predict };
})();
