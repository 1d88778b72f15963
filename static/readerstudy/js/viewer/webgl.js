/** The WebGL2 renderer: 16-bit integer texture, resampled and windowed per device pixel with the arithmetic of resample.js. */

import { NUDGE } from "./resample.js";

const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(float((gl_VertexID << 1) & 2), float(gl_VertexID & 2));
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D pixels;
uniform ivec2 extent;
uniform vec2 origin;
uniform vec2 scale;
uniform vec2 ramp;
uniform float canvasHeight;
uniform bool blend;
out vec4 colour;

float triangles(vec2 centre) {
  vec2 radius = max(vec2(1.0), 1.0 / scale);
  ivec2 low = max(ivec2(floor(centre - radius)) + 1, ivec2(0));
  ivec2 high = min(ivec2(ceil(centre + radius)) - 1, extent - 1);
  float sum = 0.0;
  float weights = 0.0;
  for (int row = low.y; row <= high.y; row++) {
    float down = 1.0 - abs(float(row) - centre.y) / radius.y;
    for (int column = low.x; column <= high.x; column++) {
      float weight = down * (1.0 - abs(float(column) - centre.x) / radius.x);
      sum += weight * float(texelFetch(pixels, ivec2(column, row), 0).r);
      weights += weight;
    }
  }
  return sum / weights;
}

void main() {
  vec2 at = (vec2(gl_FragCoord.x, canvasHeight - gl_FragCoord.y) - origin) / scale;
  vec2 nudged = at + ${NUDGE.toFixed(10)};
  colour = vec4(0.0, 0.0, 0.0, 1.0);
  if (any(lessThan(nudged, vec2(0.0))) || any(greaterThanEqual(nudged, vec2(extent)))) return;
  float stored = blend ? triangles(at - 0.5) : float(texelFetch(pixels, min(ivec2(nudged), extent - 1), 0).r);
  float grey = floor(clamp(stored * ramp.x + ramp.y, 0.0, 1.0) * 255.0 + 0.5) / 255.0;
  colour = vec4(vec3(grey), 1.0);
}`;

function compile(gl, type, source) {
  const shader = gl.createShader(type);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new Error(`The graphics driver refused the shader: ${gl.getShaderInfoLog(shader)}`);
  }
  return shader;
}

function link(gl) {
  const program = gl.createProgram();
  gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  gl.useProgram(program);
  const names = ["extent", "origin", "scale", "ramp", "canvasHeight", "blend"];
  return Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)]));
}

function bindTexture(gl) {
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
}

/** Some browsers own up to software rendering only by name. @param {WebGL2RenderingContext} gl */
function isSoftware(gl) {
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

/**
 * @param {HTMLCanvasElement} canvas @param {boolean} hardwareOnly refuse software rendering, where canvas 2D is faster
 * @returns {any} the renderer, or null where there is no WebGL2
 */
export function createWebGLRenderer(canvas, hardwareOnly) {
  const gl = canvas.getContext("webgl2", {
    alpha: false,
    antialias: false,
    depth: false,
    failIfMajorPerformanceCaveat: hardwareOnly,
  });
  if (!gl || (hardwareOnly && isSoftware(gl))) return null;
  const uniforms = link(gl);
  bindTexture(gl);
  const largest = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  let uploaded = null;

  function upload(frame) {
    if (uploaded === frame) return;
    if (Math.max(frame.rows, frame.columns) > largest) throw new Error("The image is larger than this graphics card takes.");
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, frame.columns, frame.rows, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, frame.pixels);
    uploaded = frame;
  }

  function draw(frame, placement, ramp, smooth) {
    upload(frame);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniform2i(uniforms.extent, frame.columns, frame.rows);
    gl.uniform2f(uniforms.origin, placement.left, placement.top);
    gl.uniform2f(uniforms.scale, placement.scaleX, placement.scaleY);
    gl.uniform2f(uniforms.ramp, ramp.gain, ramp.offset);
    gl.uniform1f(uniforms.canvasHeight, canvas.height);
    gl.uniform1i(uniforms.blend, smooth ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  return {
    kind: "webgl",
    draw,
    clear() {
      gl.clearColor(0, 0, 0, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
    },
    resized() {},
    /** Top row first, like canvas 2D. Valid only right after a draw in the same task. */
    pixels() {
      const { width, height } = canvas;
      const upsideDown = new Uint8Array(width * height * 4);
      gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upsideDown);
      const pixels = new Uint8ClampedArray(upsideDown.length);
      for (let row = 0; row < height; row++) {
        pixels.set(upsideDown.subarray((height - 1 - row) * width * 4, (height - row) * width * 4), row * width * 4);
      }
      return pixels;
    },
    destroy() {
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}
